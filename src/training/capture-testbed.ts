import type { AttentionInputs } from '../contract/inputs.ts';
import type { Tensors } from '../contract/tensor.ts';
import { openBytes } from '../model/file/open-proto.ts';
import type { ModelRunner } from '../model/file/open-proto.ts';
import type { Weights } from './check-weights.ts';
import { exportTestbed } from './export-onnx.ts';
import { attentionInputs } from './reference-attention.ts';
import type { TokenBatch } from './answers.ts';
import { testbedFeeds } from './testbed-feeds.ts';
import { byEveryLayer, sitesOf } from './testbed.ts';
import type { Testbed } from './testbed.ts';

/** A trained testbed that shows what its attention reads. */
export interface CapturingTestbed {
  /** Runs the model: queries, keys, values and gate of each attention, in the order of {@link sitesOf}. */
  capture(batch: TokenBatch): Promise<AttentionInputs[]>;
  dispose(): Promise<void>;
}

/**
 * Opens the exported testbed with what its kernels read as further outputs: every attention's queries and keys follow from the attention
 * before it, as they do in the model that is measured.
 * @throws INVALID_INPUTS for weights that are not this testbed's; UNSUPPORTED where the runner lacks a kernel or cannot run models
 */
export async function captureTestbed(testbed: Testbed, weights: Weights, runner: ModelRunner): Promise<CapturingTestbed> {
  const model = await openBytes(exportTestbed(testbed, weights, { adapter: runner.adapter, showHeads: true }), runner, 'reading');
  return {
    async capture(batch) {
      // Such a model has no exits.
      const bound = model.bind(testbedFeeds({ ...testbed, exits: undefined }, batch));
      await bound.run();
      const outputs = bound.outputs();
      return sitesOf(testbed).map((site) => {
        const [query, key, value] = (['query', 'key', 'value'] as const).map((part) => headsOf(outputs, site.name, part));
        return attentionInputs({ query: query!, key: key!, value: value! }, byEveryLayer(testbed, weights), {
          testbed,
          site,
          sizes: batch,
        });
      });
    },
    dispose: () => model.dispose(),
  };
}

/** A copy: outputs are the runtime's until the next run. */
function headsOf(outputs: Tensors, name: string, part: string): Float32Array {
  return Float32Array.from(outputs[`${name}.${part}.heads`]!.data as Float32Array);
}
