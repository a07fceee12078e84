import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AttentionInputs } from '../contract/inputs.ts';
import type { Pool, Variant } from '../contract/variant.ts';
import { findVariant } from '../variants/index.ts';
import { parameterObject } from '../variants/parameter-types.ts';
import { measureWaste } from './measure-waste.ts';
import type { WasteRequest } from './request.ts';
import type { WasteFigures } from './schema.ts';

type ScriptedRow = readonly (readonly [slot: number, logit: number])[];

/** A variant whose rows are written out, the same for every head. */
function scripted(name: string, rows: readonly ScriptedRow[], pools: readonly Pool[] = []): Variant {
  return {
    name,
    summary: '',
    parameters: parameterObject({}),
    refuses: (_parameters, { keys }) => (keys === 777 ? '777 keys' : undefined),
    cost: () => ({ scoredPairs: 0, weightedPairs: 0, densePairs: 0, flops: 0, bytes: 0 }),
    rows: () => ({
      pools,
      fill(query, row) {
        row.length = rows[query]!.length;
        for (const [entry, [slot, logit]] of rows[query]!.entries()) {
          row.key[entry] = slot;
          row.logit[entry] = logit;
        }
      },
    }),
  };
}

/** One head with values `[keys, 1]`. */
function inputsOf(queries: number, values: readonly number[]): AttentionInputs {
  const keys = values.length;
  const shape = { batch: 1, heads: 1, kvHeads: 1, queries, keys, headDim: 1, causal: false, dtype: 'f32' } as const;
  return { shape, query: new Float32Array(queries), key: new Float32Array(keys), value: Float32Array.from(values), scale: 1 };
}

function measure(rows: readonly ScriptedRow[], values: readonly number[], part: Partial<WasteRequest> = {}): WasteFigures {
  const dense = scripted('dense', rows);
  const inputs = inputsOf(rows.length, values);
  return measureWaste({ inputs, inputsName: 'scripted', variant: dense, parameters: {}, dense, rows: 'all', ...part }).overall;
}

test('ten equal keys hold .9 of the mass in nine, whatever the rounding', () => {
  const figures = measure([Array.from({ length: 10 }, (_, j) => [j, 0.3] as const)], Array(10).fill(1));
  assert.deepEqual(figures.wastedCompute.p90!.numerator, { name: 'wastedPairs', value: 1 });
  assert.deepEqual(figures.wastedCompute.p90!.denominator, { name: 'weightedPairs', value: 10 });
  assert.equal(figures.wastedCompute.p95!.value, 0);
  assert.ok(Math.abs(figures.effectiveSupport.entropy!.value - 1) < 1e-12);
});

test('keys that hold just .9, .95 or .99 of the mass are the smallest set that does, whatever the rounding', () => {
  // Thirds first, then ones; the last third is all that is left out: 3·ones + thirds = 9, 19 or 99 of 10, 20 or 100 thirds.
  for (const name of ['p90', 'p95', 'p99'] as const) {
    const held = { p90: 9, p95: 19, p99: 99 }[name];
    for (let ones = 1; 3 * ones <= held; ones += 1) {
      const thirds = held - 3 * ones + 1;
      const row = Array.from({ length: thirds + ones }, (_, j) => [j, j < thirds ? -Math.log(3) : 0] as const);
      assert.equal(measure([row], Array(row.length).fill(1)).wastedCompute[name]!.numerator.value, 1, `${name}, ${ones}`);
    }
  }
});

test('local is 64 positions away at most, on either side', () => {
  const rows = Array.from({ length: 200 }, (): ScriptedRow => []);
  rows[100] = [35, 36, 164, 165].map((j) => [j, 0] as const);
  assert.equal(measure(rows, Array(200).fill(1)).localMass!.value, 0.5);
});

/** The sink rate of one head whose row at every position is `see`'s. */
function sinkRate(keys: number, see: (position: number) => ScriptedRow, pools: readonly Pool[] = []): number {
  const rows = Array.from({ length: keys }, (_, position) => see(position));
  return measure(rows, Array(keys).fill(1), {
    variant: scripted('sinking', rows, pools),
    dense: scripted(
      'dense',
      rows.map(() => []),
    ),
  }).sinkRate!.value;
}

test('positions before 64 count for no sink', () => {
  const quarter: ScriptedRow = [
    [0, 0],
    [1, Math.log(3)],
  ];
  assert.equal(
    sinkRate(130, (position) => (position < 64 ? [[0, 0]] : [[2 + (position % 60), 0]])),
    0,
  );
  assert.equal(
    sinkRate(130, (position) => (position < 64 ? [[2, 0]] : quarter)),
    1,
  );
});

test('mass that earlier positions lay on a key makes no sink of it', () => {
  assert.equal(
    sinkRate(200, (position) => [[position < 136 ? 136 : position % 60, 0]]),
    0,
  );
  assert.equal(
    sinkRate(200, (position) => [[position >= 136 ? 136 : position % 60, 0]]),
    1,
  );
});

test('a pooled block’s tokens share its mass, and none of them is a sink alone before its own position', () => {
  const pool = (start: number, tokens: number): Pool => ({ start, end: start + tokens, tokens, value: Float64Array.of(1) });
  const seePool = (position: number): ScriptedRow => [
    [200, 0],
    [position % 60, Math.log(0.01)],
  ];
  assert.equal(sinkRate(200, seePool, [pool(10, 3)]), 1);
  assert.equal(sinkRate(200, seePool, [pool(10, 4)]), 0);
  // Key 136 counts from position 136 on: what positions 64 … 135 lay on its block is not its own.
  const early = (position: number): ScriptedRow => (position < 136 ? [[200, 0]] : [[position % 60, 0]]);
  assert.equal(sinkRate(200, early, [pool(134, 3)]), 0);
});

test('one row shows no spread: no interval', () => {
  const { value, low, high } = measure([[[0, 1]]], [1]).wastedCompute.p90!;
  assert.deepEqual([value, low, high], [0, null, null]);
});

test('an output of 0 needs the whole set', () => {
  const figures = measure(
    [
      [
        [0, 0],
        [1, 0],
      ],
    ],
    [1, -1],
  );
  assert.deepEqual([figures.wastedComputeAtError.e01!.value, figures.wastedComputeAtError.e05!.value], [0, 0]);
});

test('the first prefix within the error counts, though a longer one leaves it again', () => {
  // The output is .99: the first key alone is within .05 of it, the third drags the mean to 3.7, the fourth brings it back.
  const logits = [0.03, 0.02, 0.01, ...Array<number>(17).fill(0)];
  const figures = measure([logits.map((logit, j) => [j, logit] as const)], [1, 1, 9, -7.2, ...Array<number>(16).fill(1)]);
  assert.equal(figures.wastedComputeAtError.e05!.numerator.value, 19);
});

test('values of 0 contribute nothing: all mass is wasted', () => {
  assert.equal(
    measure(
      [
        [
          [0, 0],
          [1, 1],
        ],
      ],
      [0, 0],
    ).wastedMass!.value,
    1,
  );
});

test('equal contributions are held from the earlier entry on', () => {
  // 40 entries of which 95 % are 38; the two left out have the mass of two.
  const rows = [Array.from({ length: 40 }, (_, j) => [j, 0] as const)];
  assert.ok(Math.abs(measure(rows, Array(40).fill(2)).wastedMass!.value - 2 / 40) < 1e-12);
});

test('rows that see nothing count in no mean', () => {
  const figures = measure(
    [
      [],
      [
        [0, 0],
        [1, 0],
      ],
      [],
    ],
    [1, 1],
  );
  assert.deepEqual(figures.firstTokenMass!.denominator, { name: 'seeingRows', value: 1 });
  assert.equal(figures.firstTokenMass!.value, 0.5);
  assert.equal(figures.wastedCompute.p90!.denominator.value, 2);
});

test('where no row sees anything, no figure is given', () => {
  const figures = measure([[], []], [1, 1], { kernelScoredPairs: 4 });
  for (const figure of [
    figures.wastedCompute.p90,
    figures.wastedMass,
    figures.missedMass,
    figures.localMass,
    figures.withoutFirstToken.wastedMass,
  ]) {
    assert.equal(figure, null);
  }
  // The kernel scored its pairs all the same.
  assert.equal(figures.kernelWaste.p90!.value, 1);
});

test('a variant that sees nothing misses all that dense attention sees', () => {
  const dense = scripted('dense', [
    [
      [0, 0],
      [1, 0],
    ],
  ]);
  const blind = scripted('blind', [[]]);
  const figures = measure([[]], [1, 1], { variant: blind, dense });
  assert.deepEqual([figures.missedMass!.value, figures.pooledMass!.value, figures.wastedMass], [1, 0, null]);
});

test('dense attention misses nothing by definition', () => {
  const figures = measure([[[0, 0]], [[1, 0]]], [1, 1]);
  assert.deepEqual([figures.missedMass!.value, figures.missedMass!.high, figures.pooledMass!.value], [0, 0, 0]);
});

test('beside a sink so strong that the rest underflows, the rest is still ranked and renormalised', () => {
  const row: ScriptedRow = [
    [0, 900],
    [1, 0],
    [2, Math.log(97)],
    [3, Math.log(2)],
  ];
  const { wastedCompute, withoutFirstToken } = measure([row], [1, 1, 1, 1]);
  assert.equal(wastedCompute.p99!.numerator.value, 3);
  // Keys 2, 3 and 1 hold .97, .02 and .01.
  const without = withoutFirstToken.wastedCompute;
  assert.deepEqual([without.p90!.numerator.value, without.p95!.numerator.value, without.p99!.numerator.value], [2, 2, 1]);
  assert.equal(without.p90!.denominator.value, 3);
});

test('a prefix within the error is found wherever the first token comes among hundreds of keys', () => {
  // Values of 1 but for a few: the prefix that leaves those out ends where their mass is small, by a separate search.
  const count = 200;
  for (const firstLogit of [3, 0.5, -0.7, -4]) {
    const row = Array.from({ length: count }, (_, j): readonly [number, number] => [j, j === 0 ? firstLogit : Math.sin(7 * j)]);
    const values = Array.from({ length: count }, (_, j) => (j % 9 === 0 ? -3 : 1));
    const { wastedComputeAtError, withoutFirstToken } = measure([row], values);
    for (const [found, entries] of [
      [wastedComputeAtError, row],
      [withoutFirstToken.wastedComputeAtError, row.slice(1)],
    ] as const) {
      for (const [name, error] of [
        ['e01', 0.01],
        ['e05', 0.05],
      ] as const) {
        assert.equal(found[name]!.numerator.value, entries.length - firstPrefixWithin(error, entries, values), `${name}, ${firstLogit}`);
      }
    }
  }
});

/** The length of the first prefix, by falling logit, whose mean value differs from that of all by less than `error` of it. */
function firstPrefixWithin(error: number, entries: ScriptedRow, values: readonly number[]): number {
  const falling = entries.toSorted(([, a], [, b]) => b - a);
  const mean = (part: ScriptedRow): number => {
    const weights = part.map(([, logit]) => Math.exp(logit));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return part.reduce((sum, [key], index) => sum + (weights[index]! / total) * values[key]!, 0);
  };
  const output = mean(falling);
  const found = falling.findIndex((_, index) => Math.abs(mean(falling.slice(0, index + 1)) - output) < error * Math.abs(output));
  return found + 1;
}

test('a pooled block loses the first token’s share and may fall behind others', () => {
  // The block of keys 0 and 1 holds .5, keys 2 and 3 hold .3 and .2; without key 0: .25, .3 and .2 of .75.
  const pools = [{ start: 0, end: 2, tokens: 2, value: Float64Array.of(0) }];
  const variant = scripted(
    'pooling',
    [
      [
        [4, Math.log(0.5)],
        [2, Math.log(0.3)],
        [3, Math.log(0.2)],
      ],
    ],
    pools,
  );
  const dense = scripted('dense', [[0, 1, 2, 3].map((j) => [j, 0] as const)]);
  const figures = measure([[]], [1, -1, 2, 3], { variant, dense, relevant: () => [1, 2] });
  assert.ok(Math.abs(figures.labelledWaste!.value - (0.25 + 0.2)) < 1e-12);
  assert.ok(Math.abs(figures.withoutFirstToken.labelledWaste!.value - 0.2 / 0.75) < 1e-12);
  assert.deepEqual([figures.missedMass!.value, figures.pooledMass!.value, figures.firstTokenMass!.value], [0, 0.5, 0.25]);
  // Contributions .6 of key 2 and .6 of key 3 now come before the block, whose value is 0.
  assert.ok(Math.abs(figures.withoutFirstToken.wastedMass!.value - 0.25 / 0.75) < 1e-12);
});

test('the first token’s block is ranked anew by what it keeps', () => {
  // Of .9, .08 and .06 the block keeps .04: keys 2 and 3 then hold 96 %.
  const pools = [{ start: 0, end: 2, tokens: 2, value: Float64Array.of(1) }];
  const row: ScriptedRow = [
    [4, Math.log(0.08)],
    [2, Math.log(0.9)],
    [3, Math.log(0.06)],
  ];
  const variant = scripted('pooling', [row], pools);
  const { withoutFirstToken } = measure([[]], [1, 1, 1, 1], { variant, dense: scripted('dense', [[]]) });
  assert.equal(withoutFirstToken.wastedCompute.p95!.numerator.value, 1);
});

test('logits without a softmax are refused, and the message says where', () => {
  for (const logits of [
    [NaN, 0],
    [Infinity, 0],
    [-Infinity, -Infinity],
  ]) {
    const row = logits.map((logit, j) => [j, logit] as const);
    assert.throws(() => measure([[[0, 0]], row], [1, 1]), { code: 'INVALID_INPUTS', message: /batch 0, head 0, query 1/ });
  }
  const closed = measure(
    [
      [
        [0, 0],
        [1, -Infinity],
      ],
    ],
    [1, 1],
  );
  assert.equal(closed.wastedCompute.p99!.numerator.value, 1);
});

test('a variant that keeps a state instead of weighing pairs is refused by name', () => {
  const variant = findVariant('linear');
  const message = /^waste of linear: it keeps a running state and weighs no pairs/;
  assert.throws(() => measure([[[0, 0]]], [1], { variant, parameters: { rule: 'delta' } }), { code: 'UNSUPPORTED', message });
});

test('a shape that the variant refuses and rows that are no number are refused', () => {
  assert.throws(() => measure([[[0, 0]]], Array(777).fill(1)), { code: 'UNSUPPORTED', message: /777 keys/ });
  for (const rows of [
    { count: 0, seed: 1 },
    { count: 1.5, seed: 1 },
    { count: 3, seed: NaN },
  ]) {
    assert.throws(() => measure([[[0, 0]]], [1], { rows }), { code: 'USAGE' });
  }
});
