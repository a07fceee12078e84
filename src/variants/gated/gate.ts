import { AttnswapError } from '../../contract/errors.ts';
import type { AttentionInputs } from '../../contract/inputs.ts';
import { dotAt } from '../key-products.ts';
import type { GateForm } from './parameters.ts';

/** One head's gate in float64: γ = (q U)·(k W)/√rank + b. */
export interface HeadGate {
  readonly rank: number;
  /** `vectors` `[count, headDim]` times U, `[count, rank]`. */
  projectQueries(vectors: ArrayLike<number>): Float64Array;
  /** `vectors` `[count, headDim]` times W, `[count, rank]`. */
  projectKeys(vectors: ArrayLike<number>): Float64Array;
  /** γ of row `query` of projected queries and row `key` of projected keys. */
  logit(queries: Float64Array, query: number, keys: Float64Array, key: number): number;
}

/** @throws INVALID_INPUTS where the inputs carry no gate, INVALID_PARAMETERS where `rank` differs from the gate's. */
export function headGate(inputs: AttentionInputs, head: number, rank: number | undefined): HeadGate {
  const { gate } = inputs;
  const { headDim } = inputs.shape;
  if (gate === undefined) throw new AttnswapError('INVALID_INPUTS', 'gated: the inputs carry no gate tensors');
  if (rank !== undefined && rank !== gate.rank) {
    throw new AttnswapError('INVALID_PARAMETERS', `gated: rank is ${rank}, but the gate tensors have rank ${gate.rank}`, {
      hint: 'omit rank',
    });
  }
  const at = head * headDim * gate.rank;
  const times = (matrix: Float32Array) => (vectors: ArrayLike<number>) =>
    project(vectors, matrix.subarray(at, at + headDim * gate.rank), gate.rank);
  return {
    rank: gate.rank,
    projectQueries: times(gate.u),
    projectKeys: times(gate.w),
    logit: (queries, query, keys, key) =>
      dotAt(queries, query * gate.rank, keys, key * gate.rank, gate.rank) / Math.sqrt(gate.rank) + gate.b[head]!,
  };
}

function project(vectors: ArrayLike<number>, matrix: Float32Array, rank: number): Float64Array {
  const headDim = matrix.length / rank;
  const count = vectors.length / headDim;
  const result = new Float64Array(count * rank);
  for (let i = 0; i < count; i++) {
    for (let m = 0; m < headDim; m++) {
      const x = vectors[i * headDim + m]!;
      for (let r = 0; r < rank; r++) result[i * rank + r]! += x * matrix[m * rank + r]!;
    }
  }
  return result;
}

/** sigmoid(γ). */
export function openness(gateLogit: number): number {
  return 1 / (1 + Math.exp(-gateLogit));
}

/** ln sigmoid(γ), without overflow. */
export function logOpenness(gateLogit: number): number {
  return gateLogit >= 0 ? -Math.log1p(Math.exp(-gateLogit)) : gateLogit - Math.log1p(Math.exp(gateLogit));
}

/** The corrected logit: s + ln g, or s·g. */
export function correct(logit: number, gateLogit: number, form: GateForm): number {
  return form === 'log' ? logit + logOpenness(gateLogit) : logit * openness(gateLogit);
}
