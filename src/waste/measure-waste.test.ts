import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AttentionInputs } from '../contract/inputs.ts';
import type { Shape } from '../contract/shape.ts';
import { drawGate } from '../inputs/gate.ts';
import { drawGaussian } from '../inputs/gaussian.ts';
import { findVariant, parseVariant } from '../variants/index.ts';
import { weighedRows } from '../variants/reference.ts';
import { settleParameters } from '../variants/settle-parameters.ts';
import type { WasteRequest } from './request.ts';
import { measureWaste } from './measure-waste.ts';
import type { WasteFigures } from './schema.ts';
import { wasteReportSchema } from './schema.ts';
import { selectRows } from './select-rows.ts';

/*
 * Every figure against a separate formulation: whole matrices, plain arrays, each definition as it is written, no
 * ranking kept from one metric to the next.
 */

interface Entry {
  readonly tokens: readonly number[];
  readonly p: number;
  readonly value: readonly number[];
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const norm = (vector: readonly number[]): number => Math.sqrt(sum(vector.map((x) => x * x)));
const falling = (entries: readonly Entry[], by: (entry: Entry) => number): Entry[] => entries.toSorted((a, b) => by(b) - by(a));

function attend(entries: readonly Entry[], headDim: number): number[] {
  const mass = sum(entries.map((entry) => entry.p));
  return Array.from({ length: headDim }, (_, m) => sum(entries.map((entry) => (entry.p / mass) * entry.value[m]!)));
}

/** The entries of every query of one head, `[queries]`. */
function naiveRows(request: WasteRequest, variant: WasteRequest['variant'], at: { batch: number; head: number }): Entry[][] {
  const { inputs } = request;
  const { shape } = inputs;
  const rows = weighedRows(variant, inputs, variant === request.variant ? request.parameters : {}, at);
  const capacity = shape.keys + rows.pools.length;
  const row = { length: 0, margin: 0, sink: -Infinity, key: new Int32Array(capacity), logit: new Float64Array(capacity) };
  const kept = (j: number): boolean => inputs.mask === undefined || inputs.mask[at.batch * shape.keys + j] === 1;
  const group = shape.heads / shape.kvHeads;
  const valueOf = (j: number): number[] => {
    const start = ((at.batch * shape.kvHeads + Math.floor(at.head / group)) * shape.keys + j) * shape.headDim;
    return [...inputs.value.subarray(start, start + shape.headDim)];
  };
  return Array.from({ length: shape.queries }, (_, query) => {
    rows.fill(query, row);
    const weights = [...row.logit.subarray(0, row.length)].map((logit) => Math.exp(logit));
    return [...row.key.subarray(0, row.length)].map((slot, index) => {
      const p = weights[index]! / sum(weights);
      if (slot < shape.keys) return { tokens: [slot], p, value: valueOf(slot) };
      const pool = rows.pools[slot - shape.keys]!;
      const tokens = Array.from({ length: pool.end - pool.start }, (_token, j) => pool.start + j).filter(kept);
      const values = tokens.map(valueOf);
      return { tokens, p, value: values[0]!.map((_component, m) => sum(values.map((v) => v[m]!)) / tokens.length) };
    });
  });
}

function withoutFirst(entries: readonly Entry[]): Entry[] {
  const rest = entries
    .map((entry) => ({ ...entry, tokens: entry.tokens.filter((j) => j !== 0) }))
    .map((entry, index) => ({ ...entry, p: (entry.p * entry.tokens.length) / entries[index]!.tokens.length }))
    .filter((entry) => entry.tokens.length > 0);
  const mass = sum(rest.map((entry) => entry.p));
  return rest.map((entry) => ({ ...entry, p: entry.p / mass }));
}

/** Σ over rows of [numerator, denominator] by figure. */
class Ratios {
  readonly sums = new Map<string, [number, number]>();

  add(name: string, numerator: number, denominator: number): void {
    const [above, below] = this.sums.get(name) ?? [0, 0];
    this.sums.set(name, [above + numerator, below + denominator]);
  }
}

function naiveSet(entries: readonly Entry[], by: (entry: Entry) => number, share: number): Entry[] {
  const target = share * sum(entries.map(by)) - 1e-12;
  const order = falling(entries, by);
  const end = order.findIndex((_, index) => sum(order.slice(0, index + 1).map(by)) >= target);
  return order.slice(0, end + 1);
}

function addWaste(
  ratios: Ratios,
  prefix: string,
  entries: readonly Entry[],
  row: { weight: number; relevant: ReadonlySet<number> | undefined },
): void {
  if (entries.length === 0) return;
  const { weight, relevant } = row;
  const keys = entries.length;
  for (const [name, p] of Object.entries({ p90: 0.9, p95: 0.95, p99: 0.99 })) {
    const kept = naiveSet(entries, (entry) => entry.p, p).length;
    ratios.add(`${prefix}wastedCompute.${name}`, weight * (keys - kept), weight * keys);
    if (prefix === '') ratios.add(`kept.${name}`, weight * kept, 0);
  }
  const headDim = entries[0]!.value.length;
  const output = attend(entries, headDim);
  const order = falling(entries, (entry) => entry.p);
  for (const [name, e] of Object.entries({ e01: 0.01, e05: 0.05 })) {
    const prefixLength = order.findIndex((_, index) => {
      const partial = attend(order.slice(0, index + 1), headDim);
      return norm(partial.map((x, m) => x - output[m]!)) < e * norm(output);
    });
    ratios.add(`${prefix}wastedComputeAtError.${name}`, weight * (keys - (prefixLength + 1)), weight * keys);
  }
  const held = new Set(naiveSet(entries, (entry) => entry.p * norm(entry.value), 0.95));
  ratios.add(`${prefix}wastedMass`, weight * sum(entries.filter((entry) => !held.has(entry)).map((entry) => entry.p)), weight);
  if (relevant === undefined) return;
  const irrelevant = (entry: Entry): number => entry.tokens.filter((j) => !relevant.has(j)).length / entry.tokens.length;
  ratios.add(`${prefix}labelledWaste`, weight * sum(entries.map((entry) => entry.p * irrelevant(entry))), weight);
}

function addSupport(ratios: Ratios, entries: readonly Entry[], row: { weight: number; position: number }): void {
  if (entries.length === 0) return;
  const { weight, position } = row;
  const positional = (accepts: (j: number) => boolean): number =>
    sum(entries.map((entry) => (entry.p * entry.tokens.filter(accepts).length) / entry.tokens.length));
  const entropy = -sum(entries.map(({ p }) => (p === 0 ? 0 : p * Math.log(p))));
  ratios.add('effectiveSupport.entropy', weight * Math.exp(entropy), weight * entries.length);
  ratios.add('effectiveSupport.participation', weight / sum(entries.map(({ p }) => p * p)), weight * entries.length);
  ratios.add('firstTokenMass', weight * positional((j) => j === 0), weight);
  ratios.add('localMass', weight * positional((j) => Math.abs(position - j) <= 64), weight);
}

function addMissed(ratios: Ratios, entries: readonly Entry[], row: { weight: number; dense: readonly Entry[] }): void {
  if (row.dense.length === 0) return;
  const exact = new Set(entries.flatMap(({ tokens }) => (tokens.length === 1 ? tokens : [])));
  const inAnyForm = new Set(entries.flatMap(({ tokens }) => tokens));
  const missed = row.dense.filter(({ tokens }) => !inAnyForm.has(tokens[0]!));
  const pooled = row.dense.filter(({ tokens }) => inAnyForm.has(tokens[0]!) && !exact.has(tokens[0]!));
  ratios.add('missedMass', row.weight * sum(missed.map(({ p }) => p)), row.weight);
  ratios.add('pooledMass', row.weight * sum(pooled.map(({ p }) => p)), row.weight);
}

function addGroups(ratios: Ratios, entries: readonly Entry[], row: { weight: number; groups: WasteRequest['groups'] }): void {
  for (const [index, { from, to }] of (row.groups ?? []).entries()) {
    const inGroup = ({ tokens }: Entry): number => tokens.filter((j) => j >= from && j < to).length / tokens.length;
    const pairs = sum(entries.map(inGroup));
    ratios.add(`groups.${index}.mass`, row.weight * sum(entries.map((entry) => entry.p * inGroup(entry))), row.weight);
    ratios.add(`groups.${index}.pairs`, row.weight * pairs, row.weight * entries.length);
    for (const [name, p] of Object.entries({ p90: 0.9, p95: 0.95, p99: 0.99 })) {
      const kept = new Set(naiveSet(entries, (entry) => entry.p, p));
      const wasted = sum(entries.filter((entry) => !kept.has(entry)).map(inGroup));
      ratios.add(`groups.${index}.wastedCompute.${name}`, row.weight * wasted, row.weight * pairs);
    }
  }
}

/** Whether some key j ≤ keys − 64 has mean mass above .3 over the positions ≥ max(j, 64); all rows, those that see nothing aside. */
function naiveSink(rows: readonly Entry[][], shape: Shape): boolean {
  return Array.from({ length: shape.keys - 63 }, (_, j) => j).some((j) => {
    const masses = rows.flatMap((entries, query) => {
      if (query + shape.keys - shape.queries < Math.max(j, 64) || entries.length === 0) return [];
      return [sum(entries.map(({ tokens, p }) => (tokens.includes(j) ? p / tokens.length : 0)))];
    });
    return masses.length > 0 && sum(masses) / masses.length > 0.3;
  });
}

function naiveHead(ratios: Ratios, request: WasteRequest, at: { batch: number; head: number }): void {
  const { shape } = request.inputs;
  const rows = naiveRows(request, request.variant, at);
  const dense = naiveRows(request, request.dense, at);
  const sample = selectRows(shape, request.rows, at);
  for (const [index, query] of sample.queries.entries()) {
    const weight = sample.weights[index]!;
    const labels = request.relevant?.({ ...at, query });
    const relevant = labels === undefined ? undefined : new Set(Array.from(labels));
    const entries = rows[query]!;
    addWaste(ratios, '', entries, { weight, relevant });
    addWaste(ratios, 'withoutFirstToken.', withoutFirst(entries), { weight, relevant });
    addSupport(ratios, entries, { weight, position: query + shape.keys - shape.queries });
    addMissed(ratios, entries, { weight, dense: dense[query]! });
    if (entries.length > 0) addGroups(ratios, entries, { weight, groups: request.groups });
  }
  if (shape.keys >= 128 && request.rows === 'all') ratios.add('sinkRate', naiveSink(rows, shape) ? 1 : 0, 1);
}

/** Figures by path, such as `withoutFirstToken.wastedCompute.p90`. */
function flatten(figures: object, path = ''): Map<string, { value: number; numerator: { value: number }; denominator: { value: number } }> {
  return new Map(
    Object.entries(figures).flatMap(([name, figure]) => {
      if (typeof figure !== 'object' || figure === null) return [];
      if ('denominator' in figure) return [[path + name, figure] as const];
      return [...flatten(figure, `${path}${name}.`)];
    }),
  );
}

const close = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(b));

function compare(figures: WasteFigures, ratios: Ratios, kernelScoredPairs: number | undefined): void {
  const expected = new Map([...ratios.sums].filter(([name, [, below]]) => below > 0 && !name.startsWith('kept')));
  if (kernelScoredPairs !== undefined) {
    for (const p of ['p90', 'p95', 'p99']) {
      expected.set(`kernelWaste.${p}`, [kernelScoredPairs - ratios.sums.get(`kept.${p}`)![0], kernelScoredPairs]);
    }
  }
  const found = flatten(figures);
  if (!expected.has('sinkRate')) found.delete('sinkRate');
  assert.deepEqual([...found.keys()].sort(), [...expected.keys()].sort());
  for (const [name, [above, below]] of expected) {
    const figure = found.get(name)!;
    const text = `${name}: ${figure.numerator.value} / ${figure.denominator.value}, expected ${above} / ${below}`;
    assert.ok(close(figure.numerator.value, above) && close(figure.denominator.value, below) && close(figure.value, above / below), text);
  }
}

/** Holds every figure of the report, overall and by head, to the separate formulation. */
function check(request: WasteRequest): void {
  const report = measureWaste(request);
  const { batch: batches, heads } = request.inputs.shape;
  const everything = new Ratios();
  for (let head = 0; head < heads; head += 1) {
    const ratios = new Ratios();
    for (let batch = 0; batch < batches; batch += 1) naiveHead(ratios, request, { batch, head });
    compare(report.heads[head]!.figures, ratios, undefined);
    for (const [name, [above, below]] of ratios.sums) everything.add(name, above, below);
  }
  compare(report.overall, everything, request.kernelScoredPairs);
  assert.deepEqual(wasteReportSchema.parse(JSON.parse(JSON.stringify(report))), report);
}

/** Sharp gaussian inputs, with a key 0 that every second head can hardly look away from. */
function sharpInputs(part: Partial<Shape>): AttentionInputs {
  const shape: Shape = { batch: 1, heads: 4, kvHeads: 2, queries: 130, keys: 130, headDim: 4, causal: true, dtype: 'f32', ...part };
  const inputs = { ...drawGaussian(shape, 3), scale: 0.8, gate: drawGate(shape, undefined, 5) };
  for (let query = 0; query < shape.batch * shape.heads * shape.queries; query += 1) inputs.query[query * shape.headDim] = 2;
  for (let head = 0; head < shape.batch * shape.kvHeads; head += 2) inputs.key[head * shape.keys * shape.headDim] = 4;
  return inputs;
}

function request(spec: string, inputs: AttentionInputs, part: Partial<WasteRequest> = {}): WasteRequest {
  const { variant: name, parameters } = parseVariant(spec);
  const variant = findVariant(name);
  const filled = settleParameters(variant, parameters);
  const { keys } = inputs.shape;
  // Of three parts of the keys the last is in no group.
  const third = Math.ceil(keys / 3);
  const [image, text] = [
    { name: 'image', from: 0, to: third },
    { name: 'text', from: third, to: Math.min(keys, 2 * third) },
  ] as const;
  const groups = keys === 1 ? [image] : [image, text];
  return { inputs, inputsName: 'gaussian', variant, parameters: filled, dense: findVariant('dense'), rows: 'all', groups, ...part };
}

const specs = [
  'dense',
  'topk:k=20',
  'window:w=30,globals=2',
  'hierarchical',
  'hierarchical:local=6,region=18',
  'gated:sparsity=0.3',
  'block-topk:block=16,blocks=3',
];

for (const spec of specs) {
  test(`${spec}: every figure is its definition's, causal and not`, () => {
    check(request(spec, sharpInputs({ causal: true }), { kernelScoredPairs: 130 * 130 * 4 }));
    check(request(spec, sharpInputs({ causal: false, heads: 2, queries: 50 })));
  });
}

/** Keys that padding removes: the first `left` (one more in each further batch element) and the last `right`. */
function padded(inputs: AttentionInputs, left: number, right: number): AttentionInputs {
  const { batch, keys } = inputs.shape;
  const mask = new Uint8Array(batch * keys).map((_, at) => (at % keys < left + Math.floor(at / keys) || at % keys >= keys - right ? 0 : 1));
  return { ...inputs, mask };
}

test('padded keys, rows that see nothing, and a batch', () => {
  for (const spec of ['dense', 'hierarchical', 'window:w=10']) {
    check(request(spec, padded(sharpInputs({ batch: 2, heads: 2, queries: 130, keys: 130 }), 5, 0)));
    check(request(spec, padded(sharpInputs({ heads: 2, kvHeads: 1, queries: 30, keys: 30, causal: false }), 0, 7)));
  }
});

test('fewer queries than keys stand at the last positions; more queries than keys see nothing at first', () => {
  for (const spec of ['dense', 'hierarchical', 'window:w=12', 'topk:k=3'])
    check(request(spec, sharpInputs({ heads: 2, queries: 9, keys: 150 })));
  for (const spec of ['dense', 'topk:k=3']) check(request(spec, sharpInputs({ heads: 2, queries: 50, keys: 20 })));
  check(request('dense', sharpInputs({ queries: 1, keys: 200 })));
  check(request('dense', sharpInputs({ queries: 1, keys: 1 })));
});

test('sampled rows count for those that they stand for', () => {
  for (const spec of ['dense', 'hierarchical', 'topk:k=4']) {
    const rows = { count: 61, seed: 8 };
    check(request(spec, sharpInputs({ heads: 2, queries: 131, keys: 131 }), { rows, kernelScoredPairs: 131 * 131 * 2 }));
  }
});

test('labelled rows alone count for labelledWaste', () => {
  const relevant: WasteRequest['relevant'] = ({ head, query }) => (query % 3 === head % 3 ? [0, query, query >> 1] : undefined);
  for (const spec of ['dense', 'hierarchical', 'window:w=20']) {
    check(request(spec, padded(sharpInputs({ heads: 3, kvHeads: 1, queries: 60, keys: 60 }), 0, 4), { relevant }));
  }
});

test('groups of all keys share out the mass, the pairs and the waste; other figures and their intervals stay as they are', () => {
  for (const spec of specs) {
    const inputs = padded(sharpInputs({ heads: 2, queries: 37, keys: 130, causal: false }), 3, 9);
    const all = request(spec, { ...inputs, shape: { ...inputs.shape } }, { rows: { count: 40, seed: 2 } });
    if (all.variant.refuses(all.parameters, inputs.shape) !== undefined) continue;
    const { groups, ...overall } = measureWaste({
      ...all,
      groups: [
        { name: 'a', from: 0, to: 51 },
        { name: 'b', from: 51, to: 130 },
      ],
    }).overall;
    const { groups: none, ...plain } = measureWaste({ ...all, groups: undefined }).overall;
    assert.deepEqual([overall, none], [plain, undefined]);
    const total = (of: (group: NonNullable<typeof groups>[number]) => { numerator: { value: number } } | null) =>
      sum(groups!.map((group) => of(group)?.numerator.value ?? 0));
    const { numerator, denominator } = plain.wastedCompute.p95!;
    assert.ok(
      close(
        total(({ mass }) => mass),
        groups![0]!.mass!.denominator.value,
      ),
      spec,
    );
    assert.ok(
      close(
        total(({ pairs }) => pairs),
        denominator.value,
      ),
      spec,
    );
    assert.ok(
      close(
        total(({ wastedCompute }) => wastedCompute.p95),
        numerator.value,
      ),
      spec,
    );
  }
});

test('of equal keys at the end of a smallest set no group is preferred', () => {
  const shape = { batch: 1, heads: 1, kvHeads: 1, queries: 1, keys: 10, headDim: 1, causal: false, dtype: 'f32' } as const;
  const inputs = { shape, query: new Float32Array(1), key: new Float32Array(10), value: new Float32Array(10).fill(1), scale: 1 };
  const groups = [
    { name: 'a', from: 0, to: 2 },
    { name: 'b', from: 2, to: 10 },
  ];
  const found = measureWaste(request('dense', inputs, { groups })).overall.groups!;
  // Nine of ten equal keys hold 90 %.
  for (const [index, mass] of [0.2, 0.8].entries()) {
    assert.ok(close(found[index]!.mass!.value, mass) && close(found[index]!.pairs!.value, mass));
    assert.ok(close(found[index]!.wastedCompute.p90!.value, 0.1), `${found[index]!.wastedCompute.p90!.value}`);
  }
});

test('groups that do not fit the keys are refused, with what is wrong', () => {
  const inputs = sharpInputs({ queries: 8, keys: 20 });
  const refused = (groups: WasteRequest['groups'], message: RegExp) =>
    assert.throws(() => measureWaste(request('dense', inputs, { groups })), { code: 'USAGE', message });
  const image = { name: 'image', from: 0, to: 12 };
  refused([image, { name: 'text', from: 12, to: 21 }], /group "text" ends at 21, expected at most 20, the number of keys/);
  refused([{ name: 'text', from: 11, to: 20 }, image], /groups "image" \(0 to 12\) and "text" \(11 to 20\) overlap/);
  refused([image, { name: 'image', from: 12, to: 20 }], /two groups are called "image"/);
  for (const range of [
    { from: 5, to: 5 },
    { from: 5, to: 3 },
    { from: -1, to: 3 },
    { from: 0.5, to: 3 },
    { from: 0, to: Number.NaN },
  ])
    refused([{ name: 'image', ...range }], /expected a group \{ name, from, to \} with 0 ≤ from < to/);
  refused([{ name: '', from: 0, to: 3 }], /expected a group/);
  refused([{ name: 'x'.repeat(101), from: 0, to: 3 }], /0 ≤ from < to: name: .*<=100 characters/);
  const other = (groups: unknown, message: RegExp) => refused(groups as WasteRequest['groups'], message);
  other([{ ...image, color: 1 }], /from < to: Unrecognized key: "color"/);
  other([{ ...image, from: 1n }], /got \{ name: 'image', from: 1n, to: 12 \}, expected a group .*: from: /);
  other([image, undefined], /got undefined, expected a group/);
  for (const groups of [{}, null, 'image', 3]) other(groups, /groups is .*, expected a list of groups \{ name, from, to \}/);
  refused([], /0 groups of keys, expected 1 to 32/);
});
