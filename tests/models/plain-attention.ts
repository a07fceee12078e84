import { size } from './architecture.ts';
import type { Architecture, LayerPlan } from './architecture.ts';
import { project } from './plain-projection.ts';
import type { Sequence, Vector } from './plain-projection.ts';
import type { AttentionWeights } from './weights.ts';

/** `[length][kvHeads · headDim]` each, heads side by side. */
export interface KeysAndValues {
  readonly keys: Sequence;
  readonly values: Sequence;
}

export interface PlainAttention {
  readonly weights: AttentionWeights;
  readonly plan: LayerPlan;
  /** States that queries are made of. */
  readonly queries: Sequence;
  /** States that keys and values are made of. */
  readonly memory: Sequence;
  readonly keep: readonly boolean[];
  readonly past?: KeysAndValues | undefined;
  readonly distances?: Float32Array;
}

/** softmax(q·kᵀ/√d + bias)·v, head by head and row by row, with its projections. */
export function attend(architecture: Architecture, request: PlainAttention): Sequence {
  const { weights, plan, past = { keys: [], values: [] } } = request;
  const turn = (states: Sequence) => (architecture.rotary ? states.map((state, at) => rotate(state, past.keys.length + at)) : states);
  const queries = turn(project(weights.query, request.queries));
  const keys = [...past.keys, ...turn(project(weights.key, request.memory))];
  const values = [...past.values, ...project(weights.value, request.memory)];
  const rows = queries.map((query, row) => {
    const last = plan.causal ? row + keys.length - queries.length : keys.length - 1;
    const seen = keys.map((_, at) => at).filter((at) => at <= last && request.keep[at] === true);
    return Array.from({ length: size.heads }, (_, head) => oneHead(architecture, request, { query, keys, values, row, seen, head })).flat();
  });
  return project(weights.output, rows);
}

interface HeadRow extends KeysAndValues {
  readonly query: Vector;
  readonly row: number;
  readonly seen: readonly number[];
  readonly head: number;
}

function oneHead({ scaled, relativeBias }: Architecture, { plan, distances }: PlainAttention, at: HeadRow): Vector {
  const { heads, headDim } = size;
  const shared = Math.floor((at.head * plan.kvHeads) / heads);
  const part = (vector: Vector, head: number) => vector.slice(head * headDim, (head + 1) * headDim);
  const query = part(at.query, at.head);
  const logits = at.seen.map((key) => {
    const product = part(at.keys[key]!, shared).reduce((total, value, index) => total + value * query[index]!, 0);
    const distance = Math.min(7, Math.max(-8, key - at.row)) + 8;
    return product / (scaled ? Math.sqrt(headDim) : 1) + (relativeBias ? distances![distance * heads + at.head]! : 0);
  });
  const largest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - largest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  const result: Vector = Array.from({ length: headDim }, () => 0);
  at.seen.forEach((key, index) => {
    part(at.values[key]!, shared).forEach((value, column) => (result[column]! += (powers[index]! / total) * value));
  });
  return result;
}

/** Angles of a rotary embedding: the first half of a head is turned with the second half. */
export function rotaryFrequencies(): number[] {
  return Array.from({ length: size.headDim / 2 }, (_, index) => 10_000 ** ((-2 * index) / size.headDim));
}

function rotate(state: Vector, position: number): Vector {
  const half = size.headDim / 2;
  const frequencies = rotaryFrequencies();
  return state.map((value, index) => {
    const within = index % size.headDim;
    const angle = position * frequencies[within % half]!;
    const other = within < half ? -state[index + half]! : state[index - half]!;
    return value * Math.cos(angle) + other * Math.sin(angle);
  });
}
