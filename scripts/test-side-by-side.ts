import { globSync } from 'node:fs';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

// `node --test` takes files by their names: the longest would come last, and leave a processor idle. These come first.
const patterns = ['tests/{*,models/*}.test.ts', ...['adapters', 'samples', 'src'].map((folder) => `${folder}/**/*.test.ts`)];
const files = patterns.flatMap((pattern) => globSync(pattern).toSorted());

run({ files, concurrency: 2, execArgv: ['--import', './tests/own-temporary.ts'] })
  .on('test:fail', () => (process.exitCode = 1))
  .compose(spec)
  .pipe(process.stdout);
