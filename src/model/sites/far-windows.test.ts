import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { buildWindowed, within } from '../../../tests/models/windowed.ts';
import type { Sees, WindowedModel } from '../../../tests/models/windowed.ts';
import { inMemory, subjectOf } from '../../../tests/subjects.ts';
import type { Site } from './site.ts';

/** What is seen, computed with small numbers that change nothing. */
const among =
  (sees: Sees, ...numbers: readonly number[]): Sees =>
  (g, at) =>
    numbers.reduce((seen, number) => g.op('And', [seen, g.op('Greater', [g.op('Mul', [at.keys, g.int(number)]), g.int(0)])]), sees(g, at));

async function siteOf(model: WindowedModel): Promise<Site> {
  return (await subjectOf(inMemory('windowed', buildWindowed(model)))).sites.sites[0]!;
}

describe('a window longer than any run of the whole model is recognized', () => {
  for (const [left, right] of [
    [8191, 0],
    [8192, 0],
    [32_767, 0],
    [8192, 8192],
  ] as const)
    test(`${left} keys before and ${right} after`, async () => {
      const { mask, window, causal, reason } = await siteOf({ sees: within(left, right), padded: true });
      assert.deepEqual([mask, window, causal, reason], ['window', { left, right }, right === 0, undefined]);
    });

  test('computed with many small numbers', async () => {
    const { mask, window } = await siteOf({ sees: among(within(8192, 0), 2, 3, 4, 5, 6, 7, 8, 9, 10) });
    assert.deepEqual([mask, window], ['window', { left: 8192, right: 0 }]);
  });
});

const or =
  (one: Sees, other: Sees): Sees =>
  (g, at) =>
    g.op('Or', [one(g, at), other(g, at)]);
const rowIs =
  (place: number): Sees =>
  (g, { row }) =>
    g.op('Equal', [row, g.int(place)]);

describe('what is nearly such a window is handed over', () => {
  const nearly: Readonly<Record<string, Sees>> = {
    'chunks of 8192': (g, { row, column, gap }) => {
      const chunk = g.op('Equal', [g.op('Div', [row, g.int(8192)]), g.op('Div', [column, g.int(8192)])]);
      return g.op('And', [chunk, g.op('GreaterOrEqual', [gap, g.int(0)])]);
    },
    'a first query that sees every key': or(within(8192, 8192), rowIs(0)),
    'a query in between that sees every key': or(within(8192, 8192), rowIs(5000)),
    'the same, behind other numbers': among(or(within(8192, 0), rowIs(5000)), 1, 2, 3, 4, 5),
    'what is computed with more numbers than can be read as rows': among(within(8192, 8192), 2, 3, 4, 5, 6, 7, 8, 9),
    'a key that every query sees': (g, at) =>
      g.op('And', [
        or(within(8192, 0), (h, { column }) => h.op('Equal', [column, h.int(3)]))(g, at),
        g.op('GreaterOrEqual', [at.gap, g.int(0)]),
      ]),
    'a window that ends later behind 9000 tokens': (g, at) => {
      const late = g.op('And', [within(8200, 0)(g, at), g.op('Greater', [at.row, g.int(9000)])]);
      return g.op('Or', [late, within(8192, 0)(g, at)]);
    },
  };
  for (const [name, sees] of Object.entries(nearly))
    test(name, async () => {
      const { mask, window, reason } = await siteOf({ sees });
      assert.deepEqual([mask, window, reason], ['bias', undefined, undefined]);
    });
});

describe('a model that ends at the size of a table', () => {
  for (const by of ['Gather', 'Slice'] as const) {
    const positions = { rows: 8192, by };
    test(`by ${by}, before its window does, is as causal as it looks`, async () => {
      const { mask, causal, reason } = await siteOf({ sees: within(20_000, 0), positions });
      assert.deepEqual([mask, causal, reason], ['none', true, undefined]);
    });

    test(`by ${by}, keeps a window that ends within it`, async () => {
      const { mask, window } = await siteOf({ sees: within(7800, 0), positions });
      assert.deepEqual([mask, window], ['window', { left: 7800, right: 0 }]);
    });
  }
});
