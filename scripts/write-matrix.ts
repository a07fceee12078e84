import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { adapters } from '../adapters/index.ts';
import { matrixMarkdown } from './matrix.ts';

// Brings the tables of variants and backends in README.md up to date; with --check only says whether they are.
const readme = fileURLToPath(new URL('../README.md', import.meta.url));
const [start, end] = ['<!-- kernels and backends: npm run matrix -->', '<!-- end -->'] as const;
const text = readFileSync(readme, 'utf8');
const [before = '', rest] = text.split(start);
const after = rest?.split(end)[1];
if (after === undefined) throw new Error(`README.md: expected ${start} and ${end}`);
const loaded = await Promise.all(adapters.map((entry) => entry.load()));
const wanted = `${before}${start}\n${matrixMarkdown(loaded)}\n${end}${after}`;
if (!process.argv.includes('--check')) writeFileSync(readme, wanted);
else if (wanted !== text) {
  console.error('README.md: the tables of kernels and backends are out of date: npm run matrix');
  process.exitCode = 1;
}
