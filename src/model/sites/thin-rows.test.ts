import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TensorProto_DataType as DataType } from 'onnx-buf';
import { adapter } from '../../../adapters/onnx/adapter.ts';
import { parseModel } from '../file/onnx-file.ts';
import type { OnnxFile } from '../file/onnx-file.ts';
import { usingModel } from '../file/open-proto.ts';
import { followSizes } from '../fit/follow-sizes.ts';
import type { FollowedSizes } from '../fit/follow-sizes.ts';
import { GraphBuilder } from '../graph/graph-builder.ts';
import { GraphIndex } from '../graph/graph-index.ts';
import { tensorOf } from '../../inputs/model-inputs.ts';
import { numbersOf } from './mask-sources.ts';
import { sizesAlone } from './sizes-alone.ts';
import { watchModel } from './watch.ts';
import type { Watching } from './watch.ts';

const theLast = 2 ** 31 - 1;

/** From queries [n, 1] and keys [1, n]: masks and biases as exporters write them, each by name, and the sizes of one, which it is cut by. */
function masks(graph: GraphBuilder): Record<string, string> {
  const [queries, keys] = [graph.input('queries', 'i64', ['n', 1]), graph.input('keys', 'i64', [1, 'm'])];
  const distance = graph.op('Sub', [keys, queries]);
  const bucket = graph.op('Min', [graph.op('Abs', [distance]), graph.int(5)]);
  const table = graph.initializer(
    'table',
    Float32Array.from({ length: 12 }, (_, at) => Math.sin(at)),
    [6, 2],
  );
  const picked = graph.op('Gather', [table, bucket]);
  const perHead = graph.op('Unsqueeze', [graph.op('Transpose', [picked], { perm: [2, 0, 1] }), graph.int([0])]);
  const seen = graph.op('LessOrEqual', [distance, graph.int(0)]);
  const sizes = graph.op('Concat', [graph.int([1, 2]), graph.op('Shape', [queries], { end: 1 }), graph.op('Shape', [keys], { start: 1 })], {
    axis: 0,
  });
  const zeros = graph.op('ConstantOfShape', [sizes]);
  const expanded = graph.op('Expand', [graph.op('Cast', [keys], { to: DataType.FLOAT }), sizes]);
  const rows = graph.op('Gather', [zeros, graph.int([1, 0])], { axis: 1 });
  const added = graph.op('Add', [perHead, graph.op('Where', [seen, graph.float(0), graph.float(-1e4)])]);
  const triangle = graph.op('Trilu', [added], { upper: 0 });
  const later = graph.op('Trilu', [distance, graph.int(2)]);
  const fewKeys = graph.op('Slice', [triangle, graph.int([0, 0]), graph.int([1, 4]), graph.int([0, -1])]);
  const lastRows = graph.op('Slice', [added, graph.int([-5]), graph.int([theLast]), graph.int([2]), graph.int([1])]);
  const laterRows = graph.op('Slice', [seen, graph.int([1]), graph.int([theLast])]);
  const squeezed = graph.op('Squeeze', [rows, graph.int([0])]);
  const joined = graph.op('Concat', [triangle, expanded], { axis: 1 });
  const turned = graph.op('Transpose', [graph.op('Cast', [queries], { to: DataType.FLOAT })], { perm: [1, 0] });
  const product = graph.op('MatMul', [graph.op('Cast', [queries], { to: DataType.FLOAT }), turned]);
  const row = graph.initializer('row', Float32Array.of(1, 2, 4, 8, 16, 32), [6]);
  const points = graph.op('GatherND', [row, graph.op('Unsqueeze', [bucket, graph.int([-1])])]);
  const whole = { perHead, seen, zeros, expanded, rows, added, triangle, distance, later, joined, product, points };
  return { ...whole, fewKeys, lastRows, laterRows, squeezed, sizesOfJoined: graph.op('Shape', [graph.op('IsNaN', [joined])]) };
}

const types: Record<string, 'f32' | 'bool' | 'i64'> = {
  seen: 'bool',
  laterRows: 'bool',
  distance: 'i64',
  later: 'i64',
  sizesOfJoined: 'i64',
};

interface Subject {
  readonly found: Record<string, string>;
  readonly file: OnnxFile;
  readonly index: GraphIndex;
  readonly at: (n: number) => FollowedSizes['dims'];
}

function subject(): Subject {
  const graph = new GraphBuilder({ prefix: 'mask/' });
  const found = masks(graph);
  const outputs = Object.entries(found).map(([name, value]) => ({ name, value, type: types[name] ?? 'f32' }));
  const proto = parseModel(new Uint8Array(graph.model(outputs)), 'mask.onnx');
  const index = new GraphIndex(proto.graph!);
  const inputs = [
    { name: 'queries', type: 'int64', dims: ['n', 1] },
    { name: 'keys', type: 'int64', dims: [1, 'm'] },
  ] as const;
  const at = (n: number) => followSizes(index, inputs, { n, m: n }).dims;
  return { found, file: { path: 'mask.onnx', proto, sha256: '', externalFiles: [] }, index, at };
}

function look({ file }: Subject, watching: Watching, names: readonly string[], { n, step }: { n: number; step: number }) {
  return usingModel(watchModel(file.proto, watching, file, { adapter, backend: 'onnx-cpu' }), async (model) => {
    const count = Array.from({ length: n }, (_, at) => at);
    const feeds = { queries: tensorOf('int64', [n, 1], count), keys: tensorOf('int64', [1, n], count) };
    const seen = await model.run(feeds, step);
    return names.map((name) => seen.tensor(name)!);
  });
}

function lookThin(from: Subject, names: readonly string[], at: { n: number; step: number }) {
  const thinned = { tensors: new Set(names), index: from.index, dims: from.at(7) };
  return look(from, { tensors: [], sizes: [], alone: { instead: new Map(), thinned } }, names, at);
}

for (const [n, step] of [
  [1, 1],
  [1, 3],
  [7, 1],
  [13, 3],
  [12, 5],
] as const)
  test(`every ${step}. row of ${n}, computed alone, is that of the whole tensor`, async () => {
    const from = subject();
    const kinds = Object.entries(from.found).filter(([name]) => name !== 'sizesOfJoined' && !(name === 'laterRows' && n === 1));
    const names = kinds.map(([, name]) => name);
    const whole = await look(from, { tensors: names, sizes: [], alone: { instead: new Map() } }, names, { n, step });
    const thin = await lookThin(from, names, { n, step });
    for (const [place, { dims, data, type }] of whole.entries()) {
      const [count = 0, keys = 0] = dims.slice(-2);
      const numbers = [...numbersOf({ type, dims, data })];
      const planes = numbers.length / (count * keys);
      const wanted: number[] = [];
      for (let plane = 0; plane < planes; plane++)
        for (let row = count - 1; row >= 0; row -= step)
          wanted.push(...numbers.slice((plane * count + row) * keys, (plane * count + row + 1) * keys));
      assert.deepEqual([...numbersOf(thin[place]!)], wanted, kinds[place]![0]);
      assert.deepEqual(thin[place]!.dims, [...dims.slice(0, -2), Math.ceil(count / step), keys]);
    }
  });

test('rows that are not wanted are not computed: whole, each of these masks would hold 64 GB at least', async () => {
  const n = 2 ** 18;
  const from = subject();
  const names = ['added', 'joined', 'product', 'later', 'points', 'lastRows'].map((name) => from.found[name]!);
  const thin = await lookThin(from, names, { n, step: (2 ** 17) | 1 });
  assert.deepEqual(
    thin.map(({ dims }) => dims),
    [
      [1, 2, 2, n],
      [1, 4, 2, n],
      [2, n],
      [2, n],
      [2, n],
      [1, 2, 1, n],
    ],
  );
});

test('sizes of a mask are told without computing it: whole, it would hold half a terabyte', async () => {
  const from = subject();
  const sizes = from.found['sizesOfJoined']!;
  const instead = sizesAlone(from.index, { opset: 20, dims: from.at(7), longer: from.at(14) });
  for (const n of [1, 12, 2 ** 18]) {
    const [told] = await look(from, { tensors: [sizes], sizes: [], alone: { instead } }, [sizes], { n, step: 1 });
    assert.deepEqual([...numbersOf(told!)], [1, 4, n, n]);
  }
});
