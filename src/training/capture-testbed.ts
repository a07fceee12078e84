import type { AttentionInputs } from '../contract/inputs.ts';
import type { Tensors } from '../contract/tensor.ts';
import { openBytes } from '../model/file/open-proto.ts';
import type { ModelRunner } from '../model/file/open-proto.ts';
import type { Weights } from './check-weights.ts';
import { exportTestbed } from './export-onnx.ts';
import { attentionInputs } from './reference-attention.ts';
import type { TokenBatch } from './reference-forward.ts';
import type { Testbed } from './testbed.ts';

/** A trained testbed that shows what its attention reads. */
export interface CapturingTestbed {
  /** Runs the model on tokens `[items, length]`: queries, keys, values and gate of each layer. */
  capture(batch: TokenBatch): Promise<AttentionInputs[]>;
  dispose(): Promise<void>;
}

/**
 * Opens the exported testbed with what its kernels read as further outputs: every layer's queries and keys follow from the attention of the
 * layers before it, as they do in the model that is measured.
 * @throws INVALID_INPUTS for weights that are not this testbed's; UNSUPPORTED where the runner lacks a kernel or cannot run models
 */
export async function captureTestbed(testbed: Testbed, weights: Weights, runner: ModelRunner): Promise<CapturingTestbed> {
  const model = await openBytes(exportTestbed(testbed, weights, { adapter: runner.adapter, showHeads: true }), runner, 'reading');
  return {
    async capture({ items, length, tokens }) {
      const bound = model.bind({ tokens: { type: 'int64', dims: [items, length], data: BigInt64Array.from(tokens, BigInt) } });
      await bound.run();
      const outputs = bound.outputs();
      return testbed.attention.map((_, layer) => {
        const [query, key, value] = (['query', 'key', 'value'] as const).map((part) => headsOf(outputs, layer, part));
        return attentionInputs({ query: query!, key: key!, value: value! }, weights, { testbed, layer, items, length });
      });
    },
    dispose: () => model.dispose(),
  };
}

/** A copy: outputs are the runtime's until the next run. */
function headsOf(outputs: Tensors, layer: number, part: string): Float32Array {
  return Float32Array.from(outputs[`layers.${layer}.attention.${part}.heads`]!.data as Float32Array);
}
