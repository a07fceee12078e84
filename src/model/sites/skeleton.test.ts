import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inMemory, runner } from '../../../tests/subjects.ts';
import { tensorOf } from '../../inputs/model-inputs.ts';
import { followSizes } from '../fit/follow-sizes.ts';
import { usingModel } from '../file/open-proto.ts';
import { GraphBuilder } from '../graph/graph-builder.ts';
import type { Value } from '../graph/graph-builder.ts';
import { GraphIndex } from '../graph/graph-index.ts';
import { skeletonOf } from './skeleton.ts';
import { watchModel } from './watch.ts';

/** What multiplies `x` `[2, 3, 8]` by weights, which may be stored for several nodes at once. */
const products: Readonly<Record<string, (graph: GraphBuilder, weight: (...sizes: number[]) => Value) => Value>> = {
  'a product': (graph, weight) => graph.op('MatMul', ['x', weight(8, 16)]),
  'a product with weights of several nodes': (graph, weight) => graph.op('MatMul', ['x', graph.op('Identity', [weight(8, 16)])]),
  'a product with weights that are turned': (graph, weight) =>
    graph.op('MatMul', ['x', graph.op('Transpose', [weight(16, 8)], { perm: [1, 0] })]),
  'a Gemm': (graph, weight) => graph.op('Gemm', [graph.op('Reshape', ['x', graph.int([6, 8])]), weight(16, 8)], { transB: 1 }),
  'a convolution': (graph, weight) => graph.op('Conv', ['x', weight(16, 3, 3)], { strides: [2] }),
};

for (const [name, build] of Object.entries(products))
  test(`${name} is left out of a skeleton, and what it gives has its sizes`, async () => {
    const graph = new GraphBuilder();
    graph.input('x', 'f32', [2, 3, 8]);
    const weight = (...sizes: number[]) => graph.initializer('w', new Float32Array(sizes.reduce((all, size) => all * size, 1)), sizes);
    const y = build(graph, weight);
    const file = inMemory('product', graph.model([{ name: 'y', value: y, type: 'f32' }]));
    const index = new GraphIndex(file.proto.graph!);
    const inputs = [{ name: 'x', type: 'float32' as const, dims: [2, 3, 8] }];
    const instead = skeletonOf(index, [], { keep: new Set(), opset: 20, dims: followSizes(index, inputs, {}).dims });
    assert.deepEqual(
      [...instead.keys()].map(({ output }) => output[0]),
      [y],
    );
    const feeds = { x: tensorOf('float32', [2, 3, 8], Float32Array.from({ length: 48 }, Math.sin)) };
    const sizes = async (more: object) =>
      usingModel(watchModel(file.proto, { tensors: [], sizes: [y], ...more }, file, runner), async (model) =>
        (await model.run(feeds)).dims(y),
      );
    assert.deepEqual(await sizes({ alone: { instead } }), await sizes({}));
  });
