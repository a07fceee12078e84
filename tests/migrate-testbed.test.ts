import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { adapter } from '../adapters/onnx/with-graphs.ts';
import { writeTensors } from '../src/data/tensor-files.ts';
import { exportTestbed } from '../src/training/export-onnx.ts';
import { initialWeights } from '../src/training/initial-weights.ts';
import { readTestbed } from '../src/training/testbed.ts';
import { attnswap, emptyFolder } from './run-cli.ts';

/** A folder with an exported testbed, as a tuning leaves it, and what it is fed. */
async function exported(): Promise<string> {
  const cwd = emptyFolder();
  const sizes = { vocabulary: 17, classes: 8, length: 24, width: 32, heads: 2, hidden: 32, attention: ['dense', 'dense'] };
  const testbed = readTestbed({ ...sizes, position: 'rotary', norm: 'layer', normPlacement: 'before', causal: true }, 'test');
  writeFileSync(join(cwd, 'model.onnx'), exportTestbed(testbed, initialWeights(testbed, 1), { adapter }));
  const data = BigInt64Array.from({ length: 24 }, (_, at) => BigInt((5 * at) % 17));
  await writeTensors(join(cwd, 'feed.safetensors'), { tokens: { type: 'int64', dims: [1, 24], data } });
  return cwd;
}

test('migrate finds the attention of an exported testbed and swaps it; a length that the data lack binds nothing', async () => {
  const cwd = await exported();
  const args = ['migrate', 'model.onnx', '--data', 'feed.safetensors', '--candidate', 'window:w=4', '--until', 'swap', '--max-blocks', '2'];
  const missing = await attnswap([...args, '--lengths', '128'], { cwd });
  assert.equal(missing.exitCode, 5);
  assert.match(missing.stderr, /no file has length 128; available: 24 \[INVALID_DATA\]\s+hint: --lengths 24/);
  const { exitCode, stderr } = await attnswap([...args, '--lengths', '24'], { cwd });
  assert.equal(exitCode, 1, stderr);
  const record = JSON.parse(readFileSync(join(cwd, 'runs/model.migration/record.json'), 'utf8')) as {
    sites: Array<{ heads: number; causal: boolean; swappable: boolean }>;
    candidates: Array<{ name: string; failure?: string; proof: { nodesAdded: number } }>;
  };
  assert.deepEqual(
    record.sites.map(({ heads, causal, swappable }) => [heads, causal, swappable]),
    [
      [2, true, true],
      [2, true, true],
    ],
  );
  assert.equal(record.candidates[0]!.name, 'window.tiled:w=4');
  assert.ok(record.candidates[0]!.proof.nodesAdded > 0);
});
