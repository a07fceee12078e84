import assert from 'node:assert/strict';
import { test } from 'node:test';
import { combined } from './judgement.ts';
import { judgeGeneration, summariseGeneration } from './generation.ts';
import type { GeneratedItem } from './generation.ts';

/** Four tokens of an item; the new model costs `more` times the bits. */
function generated(index: number, more = 1, other: readonly number[] = [1, 2, 3, 4]): GeneratedItem {
  const bits = 8 + index / 10;
  const divergences = [0, 0.1, 0.2, 0.3].map((value) => value * (more - 1));
  return {
    item: `${index}`,
    greedy: { base: [1, 2, 3, 4], new: other },
    divergences,
    agreement: 1,
    bits: { base: bits, new: bits * more },
    bytes: 10,
  };
}
const items = (of: (index: number) => GeneratedItem) => Array.from({ length: 12 }, (_, index) => of(index));

test('agreement, first divergence, KL by position and bits are means over items', () => {
  const found = summariseGeneration([generated(0), generated(1, 2, [1, 9, 3, 9])], 1);
  assert.deepEqual(
    found.firstDivergences.map(({ position }) => position),
    [null, 1],
  );
  assert.equal(found.agreement.mean, 0.75);
  assert.deepEqual(found.divergenceByPosition, [0, 0.05, 0.1, 0.15]);
  assert.equal(found.bitsPerToken.base, (8 + 8.1) / 8);
  assert.equal(found.bitsPerByte!.base, (8 + 8.1) / 20);
  assert.equal(summariseGeneration([{ ...generated(0), bytes: null }], 1).bitsPerByte, null);
});

test('more bits per token than the margin are a loss; as many, or fewer, are none', () => {
  const judged = (more: (index: number) => number, exact = false) =>
    judgeGeneration(
      summariseGeneration(
        items((index) => generated(index, more(index))),
        1,
      ),
      { margin: 0.02, exact },
    ).outcome;
  assert.equal(
    judged(() => 1),
    'pass',
  );
  assert.equal(
    judged((index) => 1.1 + index / 1000),
    'regression',
  );
  assert.equal(
    judged((index) => 0.9 - index / 1000),
    'pass',
  );
  assert.equal(
    judged((index) => 1 + index / 1e6),
    'pass',
  );
  assert.equal(
    judged((index) => 1 + index / 1e9, true),
    'pass',
  );
  assert.equal(
    judged(() => 1.1, true),
    'regression',
  );
});

test('of several judgements the worst decides, and every one is told', () => {
  const of = (outcome: 'pass' | 'regression', marginsLost: number, reason: string) => ({ outcome, marginsLost, reason });
  const both = combined({ prefill: of('pass', 0.5, 'a'), decoding: of('regression', 2, 'b'), generation: null });
  assert.deepEqual(both, of('regression', 2, 'decoding: b; prefill: a'));
  assert.deepEqual(combined({ prefill: of('pass', 0.5, 'a') }), of('pass', 0.5, 'a'));
});
