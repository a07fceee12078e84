import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { adapter } from '../../../adapters/onnx/adapter.ts';
import { inMemory, runner } from '../../../tests/subjects.ts';
import { replacementsAnywhere } from '../../migration/parse-replacements.ts';
import { elementTypes } from '../graph/element-types.ts';
import { GraphBuilder } from '../graph/graph-builder.ts';
import type { Value } from '../graph/graph-builder.ts';
import { findSites } from './find-sites.ts';
import type { Site } from './site.ts';

const [heads, headDim] = [2, 8];
const width = heads * headDim;

interface Parts {
  /** `[batch, n, width]`, each. */
  readonly query: Value;
  readonly key: Value;
  /** Bool, broadcasts to `[batch, heads, queries, keys]`. */
  readonly keep?: Value;
}

function project(g: GraphBuilder, x: Value, name: string): Value {
  const weights = Float32Array.from({ length: width * width }, (_, at) => Math.sin(at * 1.7 + name.length + name.charCodeAt(0)) / 3);
  return g.op('MatMul', [x, g.initializer(name, weights, [width, width])]);
}

/** Attention over `[batch, n, width]`, with values that are the keys. */
function attend(g: GraphBuilder, { query, key, keep }: Parts): Value {
  const split = (x: Value, perm: readonly number[]) => g.op('Transpose', [g.op('Reshape', [x, g.int([0, 0, heads, headDim])])], { perm });
  const logits = g.op('MatMul', [split(query, [0, 2, 1, 3]), split(key, [0, 2, 3, 1])]);
  const masked = keep === undefined ? logits : g.op('Where', [keep, logits, g.float(-1e9)]);
  return g.op('MatMul', [g.op('Softmax', [masked], { axis: -1 }), split(key, [0, 2, 1, 3])]);
}

async function siteOf(write: (g: GraphBuilder) => Value): Promise<Site> {
  const g = new GraphBuilder({ opset: 17 });
  const bytes = g.model([{ name: 'y', value: write(g), type: 'f32' }]);
  const { sites } = await findSites(inMemory('drawn', bytes), runner);
  assert.deepEqual(
    sites.map(({ swappable, reason }) => [swappable, reason]),
    [[true, undefined]],
  );
  return sites[0]!;
}

/** Every second position. */
const halved = (g: GraphBuilder, x: Value) => g.op('Slice', [x, g.int([0]), g.int([2 ** 31 - 1]), g.int([1]), g.int([2])]);
/** The mean of all positions. */
const whole = (g: GraphBuilder, x: Value) => g.op('ReduceMean', [x], { axes: [1], keepdims: 1 });
const states = (g: GraphBuilder, name = 'x', length = 'sequence') => g.input(name, 'f32', ['batch', length, width]);

const crossing: Readonly<Record<string, (g: GraphBuilder) => Value>> = {
  'queries of every second position': (g) => {
    const x = states(g);
    return attend(g, { query: project(g, halved(g, x), 'query'), key: project(g, x, 'key') });
  },
  'keys of every second position': (g) => {
    const x = states(g);
    return attend(g, { query: project(g, x, 'query'), key: project(g, halved(g, x), 'key') });
  },
  'heads that lie among the queries of one key head': (g) => {
    const x = states(g);
    const query = g.op('Reshape', [project(g, x, 'query'), g.op('Concat', [g.sizes(x, 0, 1), g.int([-1, headDim])], { axis: 0 })]);
    const key = g.op('Slice', [project(g, x, 'key'), g.int([0]), g.int([headDim]), g.int([2])]);
    const weights = g.op('Softmax', [g.op('MatMul', [query, g.op('Transpose', [key], { perm: [0, 2, 1] })])], { axis: -1 });
    return g.op('MatMul', [weights, key]);
  },
  'a buffer of keys, of which those up to a place count': (g) => {
    const x = g.input('x', 'f32', ['batch', 3, width]);
    const buffer = g.input('buffer', 'f32', ['batch', 24, width]);
    const place = g.input('cache_position', 'i64', [3]);
    const columns = g.op('Range', [g.int(0), g.int(24), g.int(1)]);
    const isNew = g.op('Equal', [g.op('Unsqueeze', [columns, g.int([1])]), g.op('Unsqueeze', [place, g.int([0])])]);
    const written = g.op('MatMul', [g.op('Cast', [isNew], { to: elementTypes.f32 }), project(g, x, 'key')]);
    const keep = g.op('LessOrEqual', [g.op('Unsqueeze', [columns, g.int([0])]), g.op('Unsqueeze', [place, g.int([1])])]);
    return attend(g, { query: project(g, x, 'query'), key: g.op('Add', [buffer, written]), keep });
  },
  'two sequences whose lengths have one name': (g) =>
    attend(g, { query: project(g, g.op('Add', [states(g), whole(g, states(g, 'memory'))]), 'query'), key: project(g, 'memory', 'key') }),
  'two sequences of one fixed length': (g) => {
    const [x, memory] = ['x', 'memory'].map((name) => g.input(name, 'f32', ['batch', 9, width])) as [Value, Value];
    return attend(g, { query: project(g, x, 'query'), key: project(g, memory, 'key') });
  },
  'two sequences that have met before': (g) => {
    const [x, memory] = [states(g, 'x', 'points'), states(g, 'memory', 'other_points')];
    const [own, other] = [g.op('Add', [x, whole(g, memory)]), g.op('Add', [memory, whole(g, x)])];
    return attend(g, { query: project(g, own, 'query'), key: project(g, other, 'key') });
  },
};

const own: Readonly<Record<string, (g: GraphBuilder) => Value>> = {
  'a sequence of its own': (g) => {
    const x = states(g);
    return attend(g, { query: project(g, x, 'query'), key: project(g, x, 'key') });
  },
  'keys behind a past': (g) => {
    const x = states(g);
    const past = states(g, 'past', 'past_sequence');
    return attend(g, { query: project(g, x, 'query'), key: g.op('Concat', [past, project(g, x, 'key')], { axis: 1 }) });
  },
  'queries that are told something more, position by position': (g) => {
    const x = states(g);
    return attend(g, { query: project(g, g.op('Add', [x, states(g, 'more')]), 'query'), key: project(g, x, 'key') });
  },
};

describe('queries that are not the last of their keys’ positions get no attention by position', () => {
  for (const [name, write] of Object.entries(crossing))
    test(name, async () => {
      const site = await siteOf(write);
      assert.equal(site.crossAttention, true);
      assert.throws(() => replacementsAnywhere(['window.tiled:w=4'], [site], adapter), /all sites are cross-attention/);
      assert.equal(replacementsAnywhere(['dense.fused'], [site], adapter).size, 1);
    });
});

describe('queries that are the last of their keys’ positions do', () => {
  for (const [name, write] of Object.entries(own))
    test(name, async () => {
      const site = await siteOf(write);
      assert.equal(site.crossAttention, undefined);
      assert.equal(replacementsAnywhere(['window.tiled:w=4'], [site], adapter).size, 1);
    });
});
