import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';

// Writes src/lanes/lanes-code.ts from what `npm run lanes` compiled; with --check says whether it is of the source as it is now.
const at = (path: string) => new URL(`../${path}`, import.meta.url);
const code = at('src/lanes/lanes-code.ts');
const source = createHash('sha256')
  .update(readFileSync(at('assembly/lanes.ts')))
  .digest('hex');
const heading = `// assembly/lanes.ts (SHA-256 ${source}) as WebAssembly in base64: npm run lanes`;
if (!process.argv.includes('--check')) {
  const compiled = readFileSync(at('.cache/lanes.wasm')).toString('base64');
  writeFileSync(code, `${heading}\nexport const lanesCode =\n  '${compiled}';\n`);
} else if (!readFileSync(code, 'utf8').startsWith(`${heading}\n`)) {
  console.error('src/lanes/lanes-code.ts: assembly/lanes.ts has changed since it was compiled: npm run lanes');
  process.exitCode = 1;
}
