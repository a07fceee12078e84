import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TensorProto_DataType as DataType } from 'onnx-buf';
import { adapter } from '../../../adapters/onnx/adapter.ts';
import { parseModel } from '../file/onnx-file.ts';
import { usingModel } from '../file/open-proto.ts';
import { followSizes } from '../fit/follow-sizes.ts';
import { GraphBuilder } from '../graph/graph-builder.ts';
import { GraphIndex } from '../graph/graph-index.ts';
import { tensorOf } from '../../inputs/model-inputs.ts';
import { numbersOf } from './mask-sources.ts';
import { watchModel } from './watch.ts';

/** From queries [n, 1] and keys [1, n]: masks and biases as exporters write them, each by name. */
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
  return { perHead, seen, zeros, expanded, rows, added, triangle, distance };
}

async function read(
  names: (found: Record<string, string>) => readonly string[],
  { n, step, thin }: { n: number; step: number; thin: boolean },
) {
  const graph = new GraphBuilder({ prefix: 'mask/' });
  const found = masks(graph);
  const types: Record<string, 'f32' | 'bool' | 'i64'> = { seen: 'bool', distance: 'i64' };
  const outputs = Object.entries(found).map(([name, value]) => ({ name, value, type: types[name] ?? 'f32' }));
  const bytes = new Uint8Array(graph.model(outputs));
  const proto = parseModel(bytes, 'mask.onnx');
  const file = { path: 'mask.onnx', proto, sha256: '', externalFiles: [] };
  const index = new GraphIndex(proto.graph!);
  const inputs = [
    { name: 'queries', type: 'int64', dims: ['n', 1] },
    { name: 'keys', type: 'int64', dims: [1, 'm'] },
  ] as const;
  const { dims } = followSizes(index, inputs, { n: 7, m: 7 });
  const tensors = names(found);
  const watching = thin
    ? { tensors: [], sizes: [], alone: { instead: new Map(), thinned: { tensors: new Set(tensors), index, dims } } }
    : { tensors, sizes: [], alone: { instead: new Map() } };
  return usingModel(watchModel(proto, watching, file, { adapter, backend: 'onnx-cpu' }), async (model) => {
    const count = Array.from({ length: n }, (_, at) => at);
    const feeds = { queries: tensorOf('int64', [n, 1], count), keys: tensorOf('int64', [1, n], count) };
    const seen = await model.run(feeds, step);
    return tensors.map((name) => seen.tensor(name)!);
  });
}

for (const [n, step] of [
  [1, 1],
  [1, 3],
  [7, 1],
  [13, 3],
  [12, 5],
] as const)
  test(`every ${step}. row of ${n}, computed alone, is that of the whole tensor`, async () => {
    const all = (found: Record<string, string>) => Object.values(found);
    const [whole, thin] = [await read(all, { n, step, thin: false }), await read(all, { n, step, thin: true })];
    for (const [place, { dims, data }] of whole.entries()) {
      const keys = dims.at(-1)!;
      const numbers = [...numbersOf({ type: whole[place]!.type, dims, data })];
      const planes = numbers.length / (n * keys);
      const wanted: number[] = [];
      for (let plane = 0; plane < planes; plane++)
        for (let row = n - 1; row >= 0; row -= step) wanted.push(...numbers.slice((plane * n + row) * keys, (plane * n + row + 1) * keys));
      assert.deepEqual([...numbersOf(thin[place]!)], wanted);
      assert.deepEqual(thin[place]!.dims, [...dims.slice(0, -2), Math.ceil(n / step), keys]);
    }
  });

test('rows that are not wanted are not computed: whole, this mask would hold half a terabyte', async () => {
  const n = 2 ** 18;
  const [thin] = await read(({ added }) => [added!], { n, step: (2 ** 17) | 1, thin: true });
  assert.deepEqual(thin!.dims, [1, 2, 2, n]);
});
