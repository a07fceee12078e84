import type { ModelProto } from 'onnx-buf';
import { AttnswapError } from '../contract/errors.ts';
import type { DimensionSizes } from '../inputs/model-inputs.ts';
import { itemDrift } from '../quality/drift.ts';
import type { OnnxFile } from './onnx-file.ts';
import { openProto } from './open-proto.ts';
import type { ModelRunner } from './open-proto.ts';
import { furtherCases } from './probe-candidates.ts';
import type { ProbeCase } from './probe-inputs.ts';
import { runProbe } from './probe.ts';

/** How far a swapped model's outputs are from the original's, on drawn inputs. */
export interface OutputComparison {
  readonly runs: ReadonlyArray<{ readonly batch: number; readonly length: number; readonly padding: string; readonly relative: number }>;
  /** The largest ‖swapped − original‖ / ‖original‖ of an output in a run. */
  readonly largest: number;
}

/**
 * Runs both models on the same small inputs: several lengths and batches, with and without padding.
 * @throws WORKER_FAILED where an output is missing, of another shape, or not finite
 */
export async function compareOutputs(
  file: OnnxFile,
  { original, swapped }: { readonly original: ModelProto; readonly swapped: ModelProto },
  runner: ModelRunner,
  { first, given = {} }: { readonly first: ProbeCase; readonly given?: DimensionSizes | undefined },
): Promise<OutputComparison> {
  const base = await openProto(original, file, runner);
  const changed = await openProto(swapped, file, runner).catch(async (error: unknown) => {
    await base.dispose();
    throw error;
  });
  try {
    const runs: OutputComparison['runs'][number][] = [];
    for (const at of [first, ...furtherCases(first)]) {
      const expected = await runProbe(base, at, given).catch(() => undefined);
      if (expected === undefined) continue;
      const outputs = await runProbe(changed, at, given);
      const only = (tensors: typeof outputs.tensors) => Object.fromEntries(base.outputs.map((name) => [name, tensors[name]!]));
      const drift = itemDrift(`batch ${at.batch}, length ${at.length}`, only(expected.tensors), only(outputs.tensors));
      if (drift.state === 'fault')
        throw new AttnswapError('WORKER_FAILED', `the swapped model is at fault: ${drift.item}: ${drift.reason}`);
      const relative = Math.max(...drift.outputs.map(({ relativeError }) => relativeError ?? 0));
      runs.push({ batch: at.batch, length: at.length, padding: at.padding, relative });
    }
    return { runs, largest: Math.max(...runs.map(({ relative }) => relative)) };
  } finally {
    await Promise.all([base.dispose(), changed.dispose()]);
  }
}
