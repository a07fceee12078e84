import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
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

  test('a mask of pairs is refused, taken as none where the user says so, and never as what runs contradict', async () => {
    const graph = drawGraph(14 + 11);
    assert.match(graph.text, /^pairs by attention_mask \[batch, queries, keys\] \(bool, 1 keeps\)/);
    await writeFile(model, graph.bytes);
    assert.equal((await swap()).exitCode, 5);
    const contradicted = await swap('--assume', 'mask=causal');
    assert.equal(contradicted.exitCode, 5);
    assert.ok(!existsSync(out));
    const assumed = await swap('--assume', 'mask=none', '--json');
    assert.equal(assumed.exitCode, 0, assumed.stderr);
    assert.ok(existsSync(out));
    const { changes } = JSON.parse(assumed.stdout) as { changes: Array<{ assumed: string | null }> };
    assert.ok(changes.length > 0 && changes.every(({ assumed: told }) => told === 'mask=none'));
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
