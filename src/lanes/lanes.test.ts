import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { RandomStream } from '../inputs/random.ts';
import { Arena } from './lanes.ts';

const lengths = [1, 2, 7, 15, 16, 17, 513, 1000];

function drawn(length: number, name: string): Float64Array {
  return new RandomStream(1, name).fillNormal(new Float64Array(length));
}

/** The same numbers in an arena. */
function place(arena: Arena, values: Float64Array): Float64Array {
  const placed = arena.float64(values.length);
  placed.set(values);
  return placed;
}

test('weights are Math.exp to the last bit or the one before, down to the smallest numbers, and NaN where it is', () => {
  const special = [
    0,
    -0,
    1e-300,
    1e-17,
    2 ** -28,
    0.3465,
    0.3466,
    1,
    1.0397,
    1.04,
    707,
    708.5,
    709.8,
    720,
    744,
    745.13,
    745.2,
    1e6,
    Infinity,
  ];
  const deficits = [...special, ...drawn(20_000, 'deficit').map((x) => Math.abs(x) * 40)];
  const arena = new Arena(4 * 8 * (deficits.length + 8));
  const logits = place(
    arena,
    Float64Array.from(deficits, (deficit) => 5 - deficit),
  );
  const [found, weights] = [arena.float64(logits.length), arena.float64(logits.length)];
  const weigh = (length: number, largest: number) =>
    arena.lanes.weigh(logits.byteOffset, length, largest, found.byteOffset, weights.byteOffset);
  let total = 0;
  const returned = weigh(logits.length, 5);
  for (const [index, logit] of logits.entries()) {
    const expected = Math.exp(logit - 5);
    const unit = Math.max(Number.MIN_VALUE, expected * Number.EPSILON);
    assert.equal(found[index], 5 - logit);
    assert.ok(Math.abs(weights[index]! - expected) <= unit, `e^${logit - 5}: ${weights[index]}, expected ${expected}`);
    total += weights[index]!;
  }
  assert.equal(returned, total);
  for (const length of [0, 1, 2, 7])
    assert.equal(
      weigh(length, 5),
      weights.subarray(0, length).reduce((a, b) => a + b, 0),
    );
  for (const [values, largest] of [
    [[0, NaN, 0], NaN],
    [[0, Infinity], Infinity],
    [[-Infinity, -Infinity], -Infinity],
  ] as const) {
    logits.set(values);
    assert.ok(Number.isNaN(weigh(values.length, largest)));
  }
});

test('sums of weighed values, block after block, and distances are those of plain loops, to the bit', () => {
  for (const length of lengths) {
    const width = 24;
    const blocks = Math.ceil(length / 16);
    const arena = new Arena(8 * (length * (width + 3) + (blocks + 3) * width + 256));
    const entries = arena.int32(length);
    const keys = arena.int32(length);
    for (let e = 0; e < length; e++) [entries[e], keys[e]] = [(e * 7919) % length, length - 1 - e];
    const weights = place(arena, drawn(length, 'weight'));
    const values = place(arena, drawn(length * width, 'value'));
    const sums = arena.float64((blocks + 1) * width);
    const at = [entries, keys, weights, values, sums].map(({ byteOffset }) => byteOffset) as [number, number, number, number, number];
    arena.lanes.attend(at[0], length, at[1], at[2], at[3], width, at[4]);
    const sum = new Float64Array(width);
    const term = (rank: number, m: number) => weights[entries[rank]!]! * values[keys[entries[rank]!]! * width + m]!;
    for (let rank = 0; rank < length;) {
      const four = rank + 4 <= Math.min(length, 16 * Math.ceil((rank + 1) / 16));
      for (let m = 0; m < width; m++) {
        sum[m] = four ? sum[m]! + term(rank, m) + term(rank + 1, m) + (term(rank + 2, m) + term(rank + 3, m)) : sum[m]! + term(rank, m);
      }
      rank += four ? 4 : 1;
      if (rank % 16 === 0 || rank === length) {
        const block = Math.ceil(rank / 16) * width;
        assert.deepEqual(sums.subarray(block, block + width), sum, `${length}, ${rank}`);
      }
    }
    const [first, output] = [place(arena, drawn(width, 'first')), place(arena, drawn(width, 'output'))];
    for (const share of [0, 1]) {
      const squares = [0, 0];
      for (let m = 0; m < width; m++) squares[m % 2]! += (sums[blocks * width + m]! + share * first[m]! - 0.3 * output[m]!) ** 2;
      const found = arena.lanes.residual(at[4] + 8 * blocks * width, first.byteOffset, share, 0.3, output.byteOffset, width);
      assert.equal(found, squares[0]! + squares[1]!);
    }
  }
});

test('rows are added up in their order, to the bit', () => {
  const [rows, width] = [9, 6];
  const arena = new Arena(8 * ((rows + 1) * width + 64));
  const values = place(arena, drawn(rows * width, 'values'));
  const sums = place(arena, drawn(width, 'sums'));
  const list = arena.int32(rows);
  const expected = sums.slice();
  for (let count = 0; count <= rows; count++) {
    for (let i = 0; i < count; i++) list[i] = (5 * i + count) % rows;
    arena.lanes.addRows(sums.byteOffset, values.byteOffset, width, list.byteOffset, count, 1.1);
    for (const row of list.subarray(0, count)) for (let c = 0; c < width; c++) expected[c]! += 1.1 * values[row * width + c]!;
    assert.deepEqual(sums, expected);
  }
});

test('a state and its variance change as in plain loops, to the bit', () => {
  const [rows, columns] = [7, 6];
  const arena = new Arena(8 * 2 * (rows + 2) * (columns + 8) * 4);
  const [state, variance] = [place(arena, drawn(rows * columns, 'state')), place(arena, drawn(rows * columns, 'variance').map(Math.abs))];
  const [key, mapped, kept] = ['key', 'mapped', 'kept'].map((name) => place(arena, drawn(rows, name))) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const value = place(arena, drawn(columns, 'v'));
  const [read, squares, errors] = [arena.float64(columns), arena.float64(columns), arena.float64(columns)];
  const [s, v] = [state.slice(), variance.slice()];
  const { lanes } = arena;

  lanes.decay(state.byteOffset, variance.byteOffset, state.length, 0.9, 0.01);
  for (let e = 0; e < s.length; e++) [s[e], v[e]] = [s[e]! * 0.9, (0.9 * (Math.sqrt(v[e]!) + 0.01 * Math.abs(s[e]!))) ** 2];
  assert.deepEqual([state, variance], [s, v]);

  lanes.add(state.byteOffset, variance.byteOffset, rows, columns, key.byteOffset, mapped.byteOffset, value.byteOffset, 0.02);
  for (let e = 0; e < s.length; e++) {
    const [a, b] = [Math.floor(e / columns), e % columns];
    s[e]! += key[a]! * value[b]!;
    v[e]! += 0.02 * s[e]! ** 2 + mapped[a]! * value[b]! ** 2;
  }
  assert.deepEqual([state, variance], [s, v]);

  lanes.replace(variance.byteOffset, rows, columns, kept.byteOffset, key.byteOffset, value.byteOffset);
  for (let e = 0; e < s.length; e++) {
    const [a, b] = [Math.floor(e / columns), e % columns];
    v[e] = kept[a]! * v[e]! + key[a]! * value[b]!;
  }
  assert.deepEqual(variance, v);

  const at = [state, variance, key, mapped, read, squares, errors].map(({ byteOffset }) => byteOffset);
  lanes.read(at[0]!, at[1]!, rows, columns, at[2]!, at[3]!, at[4]!, at[5]!, at[6]!);
  const expected = [new Float64Array(columns), new Float64Array(columns), new Float64Array(columns)] as const;
  for (let e = 0; e < s.length; e++) {
    const [a, b] = [Math.floor(e / columns), e % columns];
    const product = key[a]! * s[e]!;
    expected[0][b]! += product;
    expected[1][b]! += product * product;
    expected[2][b]! += key[a]! * key[a]! * v[e]! + mapped[a]! * s[e]! ** 2;
  }
  assert.deepEqual([read, squares, errors], [...expected]);
});

test('more memory than there can be, and no WebAssembly, are told', () => {
  for (const bytes of [2 ** 32 + 1, 2 ** 60, NaN]) {
    assert.throws(() => new Arena(bytes), {
      code: 'WORKER_FAILED',
      message: /^the float64 reference needs .* MB at once: more than 4 GiB$/,
    });
  }
  // As --jitless leaves it out, with which Node reads no TypeScript.
  const script = `import { Arena } from ${JSON.stringify(import.meta.resolve('./lanes.ts'))}; delete globalThis.WebAssembly; new Arena(8);`;
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(stderr, /UNSUPPORTED/);
  assert.match(stderr, /needs WebAssembly with vectors: WebAssembly is not defined/);
});
