import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, describe, test } from 'node:test';
import { drawGraph } from './drawn/graphs.ts';
import type { IdiomName } from './drawn/graphs.ts';
import { judgeGraph, swapHere } from './drawn/judge.ts';
import { emptyFolder } from './run-cli.ts';

/** Masks of pairs take long to check, and the plain graphs have them. */
const seeds = (most: number): number[] =>
  Array.from({ length: most }, (_, seed) => seed).filter((seed) => drawGraph(seed).kind !== 'pairs');
const variants = ['dense.naive', 'dense.tiled'] as const;
/** A refusal of these would lose what models with the idiom have. */
const plainKinds = new Set(['none', 'causal', 'padding', 'local']);

function judging(idiom: IdiomName, most: number, isRight: (kind: string) => boolean): void {
  const folder = emptyFolder();
  after(() => rm(folder, { recursive: true, force: true }));
  for (const seed of seeds(most)) {
    const graph = drawGraph(seed, idiom);
    const variant = variants[seed % 2]!;
    test(`#${seed}: ${graph.text}: ${variant}`, async () => {
      const { verdict, reason } = await judgeGraph(graph, folder, { variant, swap: swapHere });
      assert.ok(verdict === 'right' || verdict === 'refused', `${verdict}: ${reason}`);
      if (isRight(graph.kind)) assert.equal(verdict, 'right', reason);
    });
  }
}

describe('a drawn attention with a soft cap is swapped rightly', () => judging('softcap', 22, (kind) => plainKinds.has(kind)));
describe('a drawn attention with sinks is swapped rightly', () => judging('sinks', 11, (kind) => plainKinds.has(kind)));
describe('a drawn attention whose cap comes after its masks is refused, or has none', () => judging('capped masks', 11, () => false));

test('dense.fused caps where GroupQueryAttention applies, and declines elsewhere', async () => {
  const folder = emptyFolder();
  after(() => rm(folder, { recursive: true, force: true }));
  const verdictOf = (seed: number) => judgeGraph(drawGraph(seed, 'softcap'), folder, { variant: 'dense.fused', swap: swapHere });
  const [padding, causal] = [await verdictOf(2), await verdictOf(1)];
  assert.match(padding.reason, /dense\.fused takes a soft cap only where GroupQueryAttention applies/);
  assert.deepEqual([padding.verdict, causal.verdict], ['refused', 'right'], causal.reason);
});
