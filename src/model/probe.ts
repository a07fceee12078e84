import { create } from '@bufbuild/protobuf';
import { GraphProtoSchema, ModelProtoSchema, ValueInfoProtoSchema } from 'onnx-buf';
import type { ModelProto, NodeProto } from 'onnx-buf';
import type { OpenModel } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import type { Tensors } from '../contract/tensor.ts';
import type { DimensionSizes } from '../inputs/model-inputs.ts';
import { probeInputs } from './probe-inputs.ts';
import type { ProbeCase } from './probe-inputs.ts';

/** One small run: its inputs, and the tensors that were asked for. */
export interface ProbeRun {
  readonly at: ProbeCase;
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
  return { at, tensors: { ...inputs, ...bound.outputs() } };
}

const lengths = [7, 32, 64, 160, 320];
const vocabularies = [100, 8];

/**
 * The smallest case that a model runs and that shows enough: images need more than a few pixels, and a vocabulary may be tiny. The
 * largest that it runs where none shows enough.
 * @throws INVALID_INPUTS with the last failure where it runs none
 */
export async function findProbeCase(model: OpenModel, given: DimensionSizes, enough: (run: ProbeRun) => boolean): Promise<ProbeRun> {
  const failures: unknown[] = [];
  let largest: ProbeRun | undefined;
  for (const length of lengths) {
    for (const vocabulary of vocabularies) {
      const at: ProbeCase = { batch: 2, length, past: 3, padding: 'none', seed: 1, vocabulary };
      try {
        largest = await runProbe(model, at, given);
        if (enough(largest)) return largest;
        break;
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
