import { size } from './architecture.ts';
import type { Architecture, LayerPlan } from './architecture.ts';
import { attend } from './plain-attention.ts';
import type { KeysAndValues } from './plain-attention.ts';
import { project } from './plain-projection.ts';
import type { Sequence, Vector } from './plain-projection.ts';
import type { LayerWeights, Norm, Weights } from './weights.ts';

export interface PlainInput {
  /** Token ids, or states. */
  readonly sequence: readonly number[] | Sequence;
  /** Which keys are kept, those of the past included. */
  readonly keep: readonly boolean[];
  /** Keys and values of earlier tokens, one a layer. */
  readonly past?: readonly KeysAndValues[];
  /** The second sequence, where the architecture has one. */
  readonly memory?: { readonly states: Sequence; readonly keep: readonly boolean[] };
}

/** One sequence through a transformer in float64, written as the formulas are. `[length][hidden or vocabulary]` */
export function evaluate(architecture: Architecture, weights: Weights, input: PlainInput): Sequence {
  const pastLength = input.past?.[0]?.keys.length ?? 0;
  let states = embed(architecture, weights, input.sequence, pastLength);
  architecture.layers.forEach((plan, index) => {
    states = layer(
      architecture,
      { plan, own: weights.layers[index]!, distances: weights.distances, past: input.past?.[index] },
      states,
      input,
    );
  });
  if (architecture.normPlace === 'before') states = normalise(architecture, weights.lastNorm, states);
  return architecture.head ? states.map((state) => similarities(state, weights.embedding)) : states;
}

function embed({ input, rotary }: Architecture, weights: Weights, sequence: PlainInput['sequence'], past: number): Sequence {
  if (input === 'states') return sequence as Sequence;
  const { hidden } = size;
  return (sequence as readonly number[]).map((id, index) => {
    const word = [...weights.embedding.subarray(id * hidden, (id + 1) * hidden)];
    const place = weights.positions.subarray((past + index) * hidden, (past + index + 1) * hidden);
    return rotary ? word : word.map((value, at) => value + place[at]!);
  });
}

interface Layer {
  readonly plan: LayerPlan;
  readonly own: LayerWeights;
  readonly distances: Float32Array;
  readonly past: KeysAndValues | undefined;
}

function layer(
  architecture: Architecture,
  { plan, own, distances, past }: Layer,
  states: Sequence,
  { keep, memory }: PlainInput,
): Sequence {
  const seen = plan.padded ? keep : keep.map(() => true);
  const attended = withResidual(architecture, own.selfNorm, states, (given) =>
    attend(architecture, { weights: own.self, plan, queries: given, memory: given, keep: seen, past, distances }),
  );
  const crossed =
    memory === undefined
      ? attended
      : withResidual(architecture, own.crossNorm, attended, (given) =>
          attend(architecture, {
            weights: own.cross,
            plan: { ...plan, causal: false },
            queries: given,
            memory: memory.states,
            keep: memory.keep,
          }),
        );
  return withResidual(architecture, own.innerNorm, crossed, (given) => feedForward(architecture, own, given));
}

function withResidual(architecture: Architecture, norm: Norm, states: Sequence, part: (given: Sequence) => Sequence): Sequence {
  if (architecture.normPlace === 'before') return sum(states, part(normalise(architecture, norm, states)));
  return normalise(architecture, norm, sum(states, part(states)));
}

function feedForward({ activation }: Architecture, { up, down }: LayerWeights, states: Sequence): Sequence {
  const activate = {
    relu: (x: number) => Math.max(0, x),
    gelu: (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
    silu: (x: number) => x / (1 + Math.exp(-x)),
  }[activation];
  return project(
    down,
    project(up, states).map((state) => state.map(activate)),
  );
}

function normalise({ norm }: Architecture, { gain, bias }: Norm, states: Sequence): Sequence {
  const mean = (values: Vector) => values.reduce((total, value) => total + value, 0) / values.length;
  return states.map((state) => {
    const centre = norm === 'layer' ? mean(state) : 0;
    const deviation = Math.sqrt(mean(state.map((value) => (value - centre) ** 2)) + 1e-5);
    return state.map((value, at) => ((value - centre) / deviation) * gain[at]! + (norm === 'layer' ? bias[at]! : 0));
  });
}

function sum(a: Sequence, b: Sequence): Sequence {
  return a.map((row, index) => row.map((value, at) => value + b[index]![at]!));
}

function similarities(state: Vector, embedding: Float32Array): Vector {
  const { hidden, vocabulary } = size;
  return Array.from({ length: vocabulary }, (_, id) => state.reduce((total, value, at) => total + value * embedding[id * hidden + at]!, 0));
}
