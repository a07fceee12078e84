import { globSync } from 'node:fs';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';

// `node --test` takes files by their names: the longest would come last, and leave a processor idle. These come first.
const patterns = ['tests/{*,models/*}.test.ts', ...['adapters', 'samples', 'src'].map((folder) => `${folder}/**/*.test.ts`)];
const cwd = fileURLToPath(new URL('..', import.meta.url));
const files = patterns.flatMap((pattern) => {
  const found = globSync(pattern, { cwd }).toSorted();
  if (found.length === 0) throw new Error(`${pattern}: no test file`);
  return found;
});

run({ cwd, files, concurrency: 2, execArgv: ['--import', './tests/own-temporary.ts'] })
  .on('test:fail', () => (process.exitCode = 1))
  .compose(spec)
  .pipe(process.stdout);
