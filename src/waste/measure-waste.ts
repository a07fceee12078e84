import type { WasteSums } from './figures.ts';
import { figuresOf } from './figures.ts';
import { addSums, emptySums, HeadMeter, resamples } from './head-sums.ts';
import { refuseWaste, seedOf } from './request.ts';
import type { WasteRequest } from './request.ts';
import type { WasteReport } from './schema.ts';

const confidence = 0.95;

function describeRows({ inputs: { shape }, rows }: WasteRequest, measured: number): WasteReport['rows'] {
  const of = shape.batch * shape.heads * shape.queries;
  if (rows === 'all' || measured === of) return { selection: 'all', measured, of };
  return { selection: 'sampled', requested: rows.count, seed: rows.seed, measured, of };
}

/**
 * The waste metrics of a variant on given inputs, overall and by query head, streamed over rows in float64: memory
 * O(keys·headDim + queries), never n², and the bootstrap sums of every head (8000 bytes a column). The same request gives the same figures.
 * @throws UNSUPPORTED where the variant refuses the shape, or weighs no pairs
 * @throws INVALID_INPUTS where a row's logits have no softmax
 * @throws USAGE where the rows' count or seed is not an integer, or groups do not fit the keys
 */
export function measureWaste(request: WasteRequest): WasteReport {
  return reportWaste(request, headsOf(request));
}

/** The sums of each head, which the report is made from; `kernelScoredPairs` is no part of them. @throws what {@link measureWaste} throws */
export function headsOf(request: WasteRequest): WasteSums[] {
  refuseWaste(request);
  const meter = new HeadMeter(request);
  return Array.from({ length: request.inputs.shape.heads }, (_, head) => meter.measure(head));
}

/** The report of measured heads, in their order. */
export function reportWaste(request: WasteRequest, heads: readonly WasteSums[]): WasteReport {
  const { inputsName, variant, parameters, kernelScoredPairs, rows, groups } = request;
  const overall = { ...emptySums(request), kernelScoredPairs };
  for (const head of heads) addSums(overall, head);
  return {
    inputs: inputsName,
    variant: { name: variant.name, params: { ...parameters } },
    rows: describeRows(request, overall.rows),
    interval: { confidence, resamples, seed: seedOf(rows) },
    overall: figuresOf(overall, groups),
    heads: heads.map((sums, head) => ({ head, figures: figuresOf(sums, groups) })),
  };
}
