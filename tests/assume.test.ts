import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { drawGraph } from './drawn/graphs.ts';
import { attnswap, emptyFolder } from './run-cli.ts';

describe('--assume', () => {
  const folder = emptyFolder();
  const [model, out] = [join(folder, 'pairs.onnx'), join(folder, 'swapped.onnx')];
  const swap = (...more: string[]) => attnswap(['swap', model, '--variant', 'dense.fused', '--out', out, ...more]);
  after(() => rm(folder, { recursive: true, force: true }));

  test('a mask of pairs is handed on, taken as none where the user says so, and never as what runs contradict', async () => {
    const graph = drawGraph(14 + 11);
    assert.match(graph.text, /^pairs by attention_mask \[batch, queries, keys\] \(bool, 1 keeps\)/);
    await writeFile(model, graph.bytes);
    const toldOf = async (assumption: string) => {
      const { exitCode, stdout, stderr } = await swap('--assume', assumption, '--json');
      assert.equal(exitCode, 0, stderr);
      const { changes } = JSON.parse(stdout) as { changes: Array<{ assumed: string | null }> };
      return changes.map(({ assumed }) => assumed);
    };
    assert.deepEqual([...new Set(await toldOf('mask=causal'))], [null]);
    assert.deepEqual([...new Set(await toldOf('mask=none'))], ['mask=none']);
  });

  test('an input that the model lacks, and words that are no assumption, are refused by name', async () => {
    const missing = await swap('--assume', 'mask=padding:lengths');
    assert.equal(missing.exitCode, 5);
    assert.match(missing.stderr, /has no input lengths, expected one of hidden, attention_mask/);
    const words = await swap('--assume', 'mask=window');
    assert.equal(words.exitCode, 5);
    assert.match(words.stderr, /mask=none, mask=causal or mask=padding:<input>/);
  });
});
