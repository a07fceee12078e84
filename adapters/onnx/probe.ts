import { elementTypes } from '../../src/model/graph/element-types.ts';
import { GraphBuilder } from '../../src/model/graph/graph-builder.ts';
import * as ort from '../../src/processes/onnxruntime.ts';

/** Runs one product on the provider, in `type`: why that fails, or undefined. A bundled provider may find no device, or one without f16. */
export async function probe(provider: string, type: 'f32' | 'f16'): Promise<string | undefined> {
  const graph = new GraphBuilder();
  const input = graph.op('Cast', [graph.input('a', 'f32', [2, 2])], { to: elementTypes[type] });
  const output = graph.op('Cast', [graph.op('MatMul', [input, input])], { to: elementTypes.f32 });
  try {
    const model = graph.model([{ name: 'b', value: output, type: 'f32' }]);
    const session = await ort.InferenceSession.create(model, { executionProviders: [provider], logSeverityLevel: 4 });
    await session.run({ a: new ort.Tensor('float32', new Float32Array([1, 2, 3, 4]), [2, 2]) });
    await session.release();
    return undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return `no session on ${provider}: ${reason
      .replace(/^.*<lambda\(\)> /, '')
      .replaceAll(/\s+/g, ' ')
      .slice(0, 200)}`;
  }
}
