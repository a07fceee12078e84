import { create } from '@bufbuild/protobuf';
import { GraphProtoSchema, ModelProtoSchema, ValueInfoProtoSchema } from 'onnx-buf';
import type { ModelProto, NodeProto } from 'onnx-buf';
import type { OpenModel } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import type { Tensors } from '../contract/tensor.ts';
import type { DimensionSizes } from '../inputs/model-inputs.ts';
import { batchOf, probeInputs } from './probe-inputs.ts';
import type { ProbeCase } from './probe-inputs.ts';

/** One small run: its inputs, and the tensors that were asked for. */
export interface ProbeRun {
  readonly at: ProbeCase;
  /** Batch elements. */
  readonly batch: number;
  /** Inputs and outputs alike. */
  readonly tensors: Tensors;
}

/** A copy of the model that has `nodes` appended and gives `tensors` as outputs too. */
export function withOutputs(proto: ModelProto, tensors: readonly string[], nodes: readonly NodeProto[] = []): ModelProto {
  const graph = proto.graph!;
  const given = new Set([...graph.output, ...graph.input].map(({ name }) => name));
  const more = [...new Set(tensors)].filter((name) => !given.has(name)).map((name) => create(ValueInfoProtoSchema, { name }));
  const opened = create(GraphProtoSchema, { ...graph, node: [...graph.node, ...nodes], output: [...graph.output, ...more] });
  return create(ModelProtoSchema, { ...proto, graph: opened });
}

/** @throws what the runtime throws */
export async function runProbe(model: OpenModel, at: ProbeCase, given: DimensionSizes): Promise<ProbeRun> {
  const inputs = probeInputs(model.inputs, at, given);
  const bound = model.bind(inputs);
  await bound.run();
  return { at, batch: batchOf(model.inputs, inputs), tensors: { ...inputs, ...bound.outputs() } };
}

const lengths = [7, 32, 64, 160, 320];
const draws = [100, 8].flatMap((vocabulary) => [1 as const, 0 as const].map((maskKeeps) => ({ vocabulary, maskKeeps })));

/**
 * The smallest case that a model runs and that shows enough: images need more than a few pixels, and a vocabulary may be tiny. The
 * largest that it runs where none shows enough.
 * @throws INVALID_INPUTS with the last failure where it runs none
 */
export async function findProbeCase(model: OpenModel, given: DimensionSizes, enough: (run: ProbeRun) => boolean): Promise<ProbeRun> {
  const failures: unknown[] = [];
  let largest: ProbeRun | undefined;
  for (const length of lengths) {
    for (const { vocabulary, maskKeeps } of draws) {
      const at: ProbeCase = { batch: 2, length, past: 3, padding: 'none', maskKeeps, seed: 1, vocabulary };
      try {
        const run = await runProbe(model, at, given);
        if (enough(run)) return run;
        largest ??= run;
        if (run.at.length > largest.at.length) largest = run;
      } catch (error) {
        failures.push(error);
      }
    }
  }
  if (largest !== undefined) return largest;
  const last = failures.at(-1);
  throw new AttnswapError('INVALID_INPUTS', `the model ran with none of the inputs that were drawn for it: ${(last as Error).message}`, {
    hint: 'give the sizes of its dynamic dimensions, such as --dim batch=1 --dim width=320',
    cause: last,
  });
}
