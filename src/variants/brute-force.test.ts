import assert from 'node:assert/strict';
import test from 'node:test';
import type { AttentionInputs } from '../contract/inputs.ts';
import type { Parameters } from '../contract/variant.ts';
import { createCaseInputs, maskKinds } from './case-inputs.ts';
import { findVariant, parseVariant } from './index.ts';
import { referenceOutput } from './reference.ts';

// Each variant once more, from its definition: plain arrays, sets of positions, sorting, no shared code.

type Vector = readonly number[];
interface Entry {
  readonly logit: number;
  readonly value: Vector;
}
/** One head, spelt out. Key j is unpadded where kept[j]; query i stands at position i + offset. */
interface Head {
  readonly at: { head: number; heads: number };
  readonly q: readonly Vector[];
  readonly k: readonly Vector[];
  readonly v: readonly Vector[];
  readonly kept: readonly boolean[];
  readonly queryKept: readonly boolean[];
  readonly offset: number;
  readonly causal: boolean;
  readonly scale: number;
  readonly gamma: (q: Vector, k: Vector) => number;
  readonly queryGamma: (q: Vector) => number;
}
type Naive = (head: Head, i: number, parameters: Record<string, number | string | undefined>) => Entry[];

const range = (n: number): number[] => [...Array.from({ length: Math.max(0, n) }).keys()];
const dot = (a: Vector, b: Vector): number => a.reduce((sum, x, m) => sum + x * b[m]!, 0);
const meanOf = (vectors: readonly Vector[], headDim: number): Vector =>
  range(headDim).map((m) => (vectors.length === 0 ? 0 : vectors.reduce((sum, x) => sum + x[m]!, 0) / vectors.length));
const vectorsOf = (data: Float32Array, from: number, count: number, headDim: number): Vector[] =>
  range(count).map((i) => Array.from(data.slice((from + i) * headDim, (from + i + 1) * headDim)));
/** ⌈x·m⌉ for x with at most three decimals. */
const ceilThousandths = (x: number, m: number): number => Math.ceil((Math.round(x * 1000) * m) / 1000);

const allowed = (head: Head, i: number): number[] =>
  range(head.k.length).filter((j) => head.kept[j]! && (!head.causal || j <= i + head.offset));
const exact = (head: Head, i: number, j: number): Entry => ({ logit: head.scale * dot(head.q[i]!, head.k[j]!), value: head.v[j]! });
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const correct = (logit: number, gamma: number, form: unknown): number =>
  form === 'log' ? logit + Math.log(sigmoid(gamma)) : logit * sigmoid(gamma);
const best = <T extends { score: number; index: number }>(list: readonly T[], count: number): T[] =>
  [...list].sort((a, b) => b.score - a.score || a.index - b.index).slice(0, Math.max(0, count));

const dense: Naive = (head, i) => allowed(head, i).map((j) => exact(head, i, j));

const topk: Naive = (head, i, { k, keep }) => {
  const list = allowed(head, i).map((j) => ({ index: j, score: exact(head, i, j).logit }));
  const count = keep === undefined ? Number(k) : ceilThousandths(Number(keep), list.length);
  return best(list, count).map(({ index }) => exact(head, i, index));
};

const windowed: Naive = (head, i, { w, globals }) => {
  const p = i + head.offset;
  const sees = (j: number): boolean => {
    if (j < Number(globals) || p < Number(globals)) return true;
    return head.causal ? p - Number(w) < j && j <= p : Math.abs(p - j) <= Math.floor(Number(w) / 2);
  };
  return allowed(head, i)
    .filter(sees)
    .map((j) => exact(head, i, j));
};

/** The `count` places of an axis that are nearest to its own; a tie goes to the lower. */
const nearest = (places: readonly number[], own: number, count: number): number[] =>
  best(
    places.map((index) => ({ index, score: -Math.abs(index - own) })),
    count,
  ).map(({ index }) => index);

const gridded: Naive = (head, i, { grid, w, globals, time }) => {
  const sizes = String(grid).split('x').map(Number);
  const extents = typeof w === 'number' ? sizes.map(() => w) : String(w).split('x').map(Number);
  const placeOf = (token: number): number[] =>
    sizes.map((size, axis) => Math.floor((token - Number(globals)) / sizes.slice(axis + 1).reduce((a, b) => a * b, 1)) % size);
  const own = placeOf(i);
  const near = sizes.map((size, axis) => {
    const places = range(size).filter((place) => axis > 0 || time === 'both' || place <= own[0]!);
    return nearest(places, own[axis]!, extents[axis]!);
  });
  const sees = (j: number): boolean =>
    i < Number(globals) || j < Number(globals) || placeOf(j).every((place, axis) => near[axis]!.includes(place));
  return allowed(head, i)
    .filter(sees)
    .map((j) => exact(head, i, j));
};

/** The query that speaks for the block of positions [start, start + size). */
const speakerOf = (head: Head, start: number, size: number): Vector => {
  const inside = range(head.q.length).filter((i) => i + head.offset >= start && i + head.offset < start + size);
  if (head.causal) return head.q[inside[0]!]!;
  return meanOf(
    inside.filter((i) => head.queryKept[i]!).map((i) => head.q[i]!),
    head.q[0]!.length,
  );
};
const keysOfBlock = (head: Head, block: number, size: number): number[] =>
  range(head.k.length).filter((j) => Math.floor(j / size) === block && head.kept[j]!);
const meanKey = (head: Head, block: number, size: number): Vector =>
  meanOf(
    keysOfBlock(head, block, size).map((j) => head.k[j]!),
    head.k[0]!.length,
  );

const gated: Naive = (head, i, { sparsity, tau, form, block }) => {
  const size = Number(block);
  const share = 1 - Number(sparsity ?? 0);
  if (form === 'query' || form === 'output') return gatedQueries(head, i, { sparsity, tau, form });
  const stay = (list: { index: number; score: number }[]) =>
    tau === undefined ? best(list, ceilThousandths(share, list.length)) : list.filter(({ score }) => sigmoid(score) >= Number(tau));
  if (size === 1) {
    const list = allowed(head, i).map((j) => ({ index: j, score: head.gamma(head.q[i]!, head.k[j]!) }));
    const open = stay(list).length > 0 ? stay(list) : best(list, 1);
    return open.map(({ index, score }) => ({ ...exact(head, i, index), logit: correct(exact(head, i, index).logit, score, form) }));
  }
  const own = Math.floor((i + head.offset) / size);
  const speaker = speakerOf(head, own * size, size);
  const blocks = [...new Set(allowed(head, i).map((j) => Math.floor(j / size)))].filter((index) => index !== own);
  const open = stay(blocks.map((index) => ({ index, score: head.gamma(speaker, meanKey(head, index, size)) })));
  return allowed(head, i).flatMap((j) => {
    const entry = exact(head, i, j);
    if (Math.floor(j / size) === own) return [entry];
    const gate = open.find(({ index }) => index === Math.floor(j / size));
    return gate === undefined ? [] : [{ ...entry, logit: correct(entry.logit, gate.score, form) }];
  });
};

const gatedQueries: Naive = (head, i, { sparsity, tau, form }) => {
  const gates = head.q.map((q, index) => ({ index, score: head.queryGamma(q) }));
  const open =
    tau === undefined
      ? best(gates, ceilThousandths(1 - Number(sparsity ?? 0), gates.length))
      : gates.filter(({ score }) => sigmoid(score) >= Number(tau));
  if (!open.some(({ index }) => index === i)) return [];
  const factor = form === 'query' ? sigmoid(head.queryGamma(head.q[i]!)) : 1;
  return allowed(head, i).map((j) => ({ ...exact(head, i, j), logit: factor * exact(head, i, j).logit }));
};

/** Levels dealt head by head: the level furthest below its quota of whole heads first, then by remainder. */
const deal = (heads: number, ratio: string): number[] => {
  const parts = ratio.split(':').map(Number);
  const sum = parts.reduce((a, b) => a + b, 0);
  const counts = parts.map((part) => Math.floor((heads * part) / sum));
  const order = best(
    parts.map((part, index) => ({ index, score: (heads * part) % sum })),
    3,
  );
  for (const { index } of order) if (counts[0]! + counts[1]! + counts[2]! < heads) counts[index]!++;
  const wanted = range(3).filter((level) => parts[level]! > 0);
  for (const level of wanted) {
    if (heads < wanted.length || counts[level]! > 0) continue;
    const most = Math.max(...counts);
    counts[[2, 1, 0].find((other) => counts[other] === most)!]!--;
    counts[level]!++;
  }
  return counts;
};

const hierarchical: Naive = (head, i, { local, region, ratio }) => {
  const counts = deal(head.at.heads, String(ratio));
  const p = i + head.offset;
  const near = Number(local);
  if (head.at.head < counts[0]!) return windowed(head, i, { w: near, globals: 0 });
  const isRegional = head.at.head < counts[0]! + counts[1]!;
  const size = isRegional ? near : Number(region);
  const own = Math.floor(p / size);
  const inReach = (block: number): boolean => {
    if (head.causal && block > own) return false;
    return !isRegional || Math.abs(Math.floor((block * size) / Number(region)) - Math.floor(p / Number(region))) <= 1;
  };
  return range(Math.ceil(head.k.length / size))
    .filter(inReach)
    .flatMap((block) => {
      const keys = keysOfBlock(head, block, size);
      if (block === own) return keys.filter((j) => allowed(head, i).includes(j)).map((j) => exact(head, i, j));
      if (keys.length === 0) return [];
      const logit = head.scale * dot(head.q[i]!, meanKey(head, block, size)) + Math.log(keys.length);
      return [
        {
          logit,
          value: meanOf(
            keys.map((j) => head.v[j]!),
            head.q[0]!.length,
          ),
        },
      ];
    });
};

const blockTopk: Naive = (head, i, { block, blocks }) => {
  const size = Number(block);
  const own = Math.floor((i + head.offset) / size);
  const speaker = speakerOf(head, own * size, size);
  const visible = range(Math.ceil(head.k.length / size)).filter(
    (index) => keysOfBlock(head, index, size).length > 0 && (!head.causal || index <= own),
  );
  const always = visible.filter((index) => index === 0 || index === own);
  const others = visible.filter((index) => !always.includes(index));
  const scored = others.map((index) => ({ index, score: head.scale * dot(speaker, meanKey(head, index, size)) }));
  const kept = new Set([...always, ...best(scored, Number(blocks) - always.length).map(({ index }) => index)]);
  return allowed(head, i)
    .filter((j) => kept.has(Math.floor(j / size)))
    .map((j) => exact(head, i, j));
};

const naive: Record<string, Naive> = {
  dense,
  topk,
  window: windowed,
  'grid-window': gridded,
  gated,
  hierarchical,
  'block-topk': blockTopk,
};

function spellOut(inputs: AttentionInputs, batch: number, head: number): Head {
  const { shape, mask } = inputs;
  const { heads, kvHeads, queries, keys, headDim } = shape;
  const { u, w, b, rank } = inputs.gate!;
  const matrix = (data: Float32Array): Vector[] =>
    range(rank).map((r) => range(headDim).map((m) => data[(head * headDim + m) * rank + r]!));
  const [columnsU, columnsW] = [matrix(u), matrix(w)];
  const kv = batch * kvHeads + Math.floor((head * kvHeads) / heads);
  const kept = range(keys).map((j) => mask === undefined || mask[batch * keys + j] === 1);
  return {
    at: { head, heads },
    q: vectorsOf(inputs.query, (batch * heads + head) * queries, queries, headDim),
    k: vectorsOf(inputs.key, kv * keys, keys, headDim),
    v: vectorsOf(inputs.value, kv * keys, keys, headDim),
    kept,
    queryKept: queries === keys ? kept : range(queries).map(() => true),
    offset: keys - queries,
    causal: shape.causal,
    scale: inputs.scale,
    gamma: (q, k) =>
      dot(
        columnsU.map((column) => dot(column, q)),
        columnsW.map((column) => dot(column, k)),
      ) /
        Math.sqrt(rank) +
      b[head]!,
    queryGamma: (q) => columnsU.reduce((sum, column) => sum + dot(column, q), 0) / Math.sqrt(rank) + b[head]!,
  };
}

function bruteForce(name: string, parameters: Parameters, inputs: AttentionInputs): number[] {
  const { batch, heads, queries } = inputs.shape;
  return range(batch * heads).flatMap((index) => {
    const head = spellOut(inputs, Math.floor(index / heads), index % heads);
    return range(queries).flatMap((i) => {
      const factor = parameters['form'] === 'output' ? sigmoid(head.queryGamma(head.q[i]!)) : 1;
      return attend(naive[name]!(head, i, parameters), inputs.shape.headDim).map((x) => factor * x);
    });
  });
}

function attend(entries: readonly Entry[], headDim: number): number[] {
  const most = Math.max(...entries.map(({ logit }) => logit));
  const total = entries.reduce((sum, { logit }) => sum + Math.exp(logit - most), 0);
  return range(headDim).map((m) => entries.reduce((sum, { logit, value }) => sum + (Math.exp(logit - most) / total) * value[m]!, 0));
}

const inGrid = (list: string): string => `grid-window:${list}`;
const texts = [
  ...['dense', 'topk:k=3', 'topk:keep=0.3', 'topk', 'window:w=5', 'window:w=4,globals=2', 'window:w=1,globals=1', 'window'],
  ...['grid=4x4,w=3', 'grid=4x4,w=2', 'grid=2x11,w=4,globals=1', 'grid=3x4,w=1,globals=1', 'grid=1x7,w=3', 'grid=4x4,w=9'].map(inGrid),
  ...['grid=2x2x4,w=1x2x3', 'grid=4x2x2,w=2,time=past', 'grid=2x2x5,w=2x1x3,globals=3', 'grid=1x1,w=1,globals=6'].map(inGrid),
  ...['gated', 'gated:form=log', 'gated:sparsity=0.3', 'gated:tau=0.6', 'gated:tau=0.95,form=log', 'gated:tau=0,form=log'],
  ...['gated:form=query', 'gated:form=query,sparsity=0.41', 'gated:form=query,tau=0.6', 'gated:form=output,sparsity=0.41'],
  ...['gated:form=output', 'gated:form=output,tau=0.6', 'gated:form=output,tau=1', 'gated:form=query,tau=0'],
  ...['gated:block=4', 'gated:block=4,sparsity=0.6,form=log', 'gated:block=3,tau=0.5', 'gated:block=3,tau=0.99'],
  ...['hierarchical:local=2,region=4', 'hierarchical:local=3,region=6,ratio=1:1:1', 'hierarchical:local=2,region=2,ratio=0:1:1'],
  ...[
    'hierarchical:local=3,region=3,ratio=1:0:2',
    'hierarchical',
    'block-topk:block=4,blocks=3',
    'block-topk:block=3,blocks=2',
    'block-topk',
  ],
];

for (const text of texts) {
  test(`${text} gives what its definition, spelt out, gives`, () => {
    const { variant: name, parameters } = parseVariant(text);
    const variant = findVariant(name);
    let compared = 0;
    for (const [queries, keys] of [
      [1, 1],
      [2, 2],
      [7, 7],
      [13, 13],
      [16, 16],
      [23, 23],
      [1, 14],
      [5, 18],
      [9, 4],
    ] as const) {
      for (const mask of maskKinds) {
        for (const [causal, values] of [
          [true, 'normal'],
          [false, 'normal'],
          [true, 'integer'],
          [false, 'integer'],
        ] as const) {
          const shape = { batch: 2, heads: 4, kvHeads: 2, queries, keys, headDim: 4, causal, dtype: 'f32' } as const;
          if (variant.refuses(parameters, shape) !== undefined) continue;
          const inputs = createCaseInputs({
            shape,
            mask,
            values,
            seed: compared,
            gateRank: 3,
            ...(values === 'integer' ? { keyPeriod: 4 } : {}),
          });
          const expected = bruteForce(name, parameters, inputs);
          const actual = referenceOutput(inputs, variant, parameters);
          const off = expected.findIndex((element, index) => !(Math.abs(element - actual[index]!) <= 1e-11));
          assert.equal(off, -1, `${JSON.stringify({ queries, keys, mask, causal, values })}: ${actual[off]}, expected ${expected[off]}`);
          compared++;
        }
      }
    }
    const ofOneLength = variant.tokens === undefined ? 160 : 20;
    assert.ok(compared >= (/form=(query|output),sparsity/.test(text) ? 90 : ofOneLength));
  });
}
