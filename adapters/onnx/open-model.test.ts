import assert from 'node:assert/strict';
import { test } from 'node:test';
import { elementTypes } from '../../src/model/graph/element-types.ts';
import { GraphBuilder } from '../../src/model/graph/graph-builder.ts';
import { openModel } from './open-model.ts';

test('a model that opens only as it is optimized can be read all the same', async () => {
  const graph = new GraphBuilder({ opset: 17 });
  const half = graph.op('Cast', [graph.input('x', 'f32', ['n'])], { to: elementTypes.f16 });
  const product = graph.op('Mul', [half, half]);
  const again = graph.op('Cast', [product], { to: elementTypes.f16 });
  const output = graph.op('Cast', [graph.op('Mul', [again, again])], { to: elementTypes.f32 });
  const model = graph.model([{ name: 'y', value: output, type: 'f32' }]);
  for (const purpose of ['latency', 'reading'] as const) {
    const opened = await openModel({ backend: 'onnx-cpu', model, purpose });
    assert.ok(!('unsupported' in opened));
    const bound = opened.bind({ x: { type: 'float32', dims: [3], data: Float32Array.of(1, 2, -3) } });
    await bound.run();
    assert.deepEqual([...bound.outputs()['y']!.data], [1, 16, 81], purpose);
    await opened.dispose();
  }
});
