import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

// Writes src/lanes/lanes-code.ts from what `npm run lanes` compiled; with --check says whether it is of the sources as they are now.
const at = (path: string) => new URL(`../${path}`, import.meta.url);
const code = at('src/lanes/lanes-code.ts');
const sources = createHash('sha256');
for (const name of readdirSync(at('assembly/')).toSorted()) sources.update(readFileSync(at(`assembly/${name}`)));
const heading = `// assembly/ (SHA-256 of its files: ${sources.digest('hex')}) as WebAssembly in base64: npm run lanes
// Its exponential function is that of fdlibm:
// Copyright (C) 2004 by Sun Microsystems, Inc. All rights reserved.
// Permission to use, copy, modify, and distribute this software is freely granted, provided that this notice is preserved.`;
if (!process.argv.includes('--check')) {
  const compiled = readFileSync(at('.cache/lanes.wasm')).toString('base64');
  writeFileSync(code, `${heading}\nexport const lanesCode =\n  '${compiled}';\n`);
} else if (!readFileSync(code, 'utf8').startsWith(`${heading}\n`)) {
  console.error('src/lanes/lanes-code.ts: assembly/ has changed since it was compiled: npm run lanes');
  process.exitCode = 1;
}
