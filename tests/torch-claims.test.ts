import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { claims } from '../src/operations/claims.ts';
import { emptyFolder } from './run-cli.ts';
import { skip } from './transformers-installed.ts';

const dataModule = `
export const items = async ({ lengths }) =>
  lengths.map((length) => ({
    id: String(length),
    length,
    feeds: {
      tokens: { type: 'int64', dims: [1, length], data: BigInt64Array.from({ length }, (_, at) => BigInt((7 * at) % 50)) },
      attention_mask: { type: 'int64', dims: [1, length], data: new BigInt64Array(length).fill(1n) },
    },
  }));
`;

test('kernels alone are measured on what the first site of a PyTorch model reads', { skip }, async () => {
  process.chdir(emptyFolder());
  writeFileSync('mine.data.mjs', dataModule);
  const model = `${fileURLToPath(new URL('./fixtures/own_model.py', import.meta.url))}:build`;
  const options = { subjects: [model], data: ['mine.data.mjs'], lengths: [8, 16], threads: 1, dir: 'claims' };
  const { sources, claims: judged, notes } = await claims({ ...options, only: ['one-cycle'] });
  assert.equal(notes, undefined);
  assert.deepEqual(
    sources.map(({ kind, path }) => [kind, path]),
    [['run', 'claims/own_model/kernels/kernels.run.json']],
  );
  const [figure] = judged[0]!.definitions[0]!.figures;
  assert.match(figure!.of, /^gated\.\w+ on torch-cpu at 16 tokens, against dense\.tiled$/);
  const suite = readFileSync('claims/own_model/kernels/kernels.suite.mjs', 'utf8');
  assert.match(suite, /"captured:claims\/own_model\/kernels\/site0-item0\.safetensors"/);
});
