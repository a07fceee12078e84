import { AttnswapError } from '../contract/errors.ts';
import type { AttentionInputs } from '../contract/inputs.ts';
import type { Parameters, Variant } from '../contract/variant.ts';
import { addReplicateSums, seededGenerator } from '../statistics/resample.ts';
import { columnNames, RowTable } from './columns.ts';
import type { WasteSums } from './figures.ts';
import { figuresOf } from './figures.ts';
import { frameHead } from './head-frame.ts';
import { RowMeter } from './measure-row.ts';
import type { WasteReport } from './schema.ts';
import type { HeadSample, RowSelection } from './select-rows.ts';
import { selectRows } from './select-rows.ts';
import { admitsSinks } from './sink.ts';
import { refusalOf, weighedRows, weightlessReason } from '../variants/reference.ts';

export interface WasteRequest {
  readonly inputs: AttentionInputs;
  /** What the report calls the inputs: `gaussian`, `calibrated`, `captured:<file>`. */
  readonly inputsName: string;
  readonly variant: Variant;
  readonly parameters: Parameters;
  /** The variant that `missedMass` and `pooledMass` compare with. */
  readonly dense: Variant;
  /** q·k products of the kernel in one call, over all batch elements and heads: gives `kernelWaste`. */
  readonly kernelScoredPairs?: number;
  readonly rows: RowSelection;
  /** The relevant keys of a row, where they are known: gives `labelledWaste` over the rows that have them. */
  readonly relevant?: (at: { batch: number; head: number; query: number }) => ArrayLike<number> | undefined;
}

const confidence = 0.95;
const resamples = 1000;

type HeadAt = { readonly batch: number; readonly head: number };
type MutableSums = { -readonly [Key in keyof WasteSums]: WasteSums[Key] } & { sinks: { hits: number; heads: number } };

function emptySums(): MutableSums {
  const columns = columnNames.length;
  return {
    rows: 0,
    sums: new Float64Array(columns),
    replicates: new Float64Array(resamples * columns),
    sinks: { hits: 0, heads: 0 },
    kernelScoredPairs: undefined,
  };
}

function addInto(target: Float64Array, values: Float64Array): void {
  for (let index = 0; index < values.length; index += 1) {
    const at = index % target.length;
    target[at] = target[at]! + values[index]!;
  }
}

function addSums(target: MutableSums, head: WasteSums): void {
  target.rows += head.rows;
  addInto(target.sums, head.sums);
  addInto(target.replicates, head.replicates);
  target.sinks.hits += head.sinks.hits;
  target.sinks.heads += head.sinks.heads;
}

/** Measures head after head in buffers that it keeps; memory O(keys·headDim + queries). */
class HeadMeter {
  readonly #request: WasteRequest;
  #meter: RowMeter | undefined;
  #slots = 0;

  constructor(request: WasteRequest) {
    this.#request = request;
  }

  /** Adds one head of one batch element to `sums`. */
  addHead(at: HeadAt, sums: MutableSums): void {
    const { inputs, rows } = this.#request;
    const sample = selectRows(inputs.shape, rows, at);
    const table = new RowTable(sample.queries.length);
    const meter = this.#measureRows(at, sample, table);
    sums.rows += sample.queries.length;
    addInto(sums.sums, table.values);
    const generator = seededGenerator(seedOf(rows), `waste/resample/${at.batch}/${at.head}`);
    addReplicateSums(sums.replicates, { columns: columnNames.length, values: table.values, strata: sample.strata }, generator);
    if (!admitsSinks(inputs.shape.keys)) return;
    const sink = meter.sinks.hasSink(sample.queries.length === inputs.shape.queries ? 'all' : 'sampled');
    if (sink === undefined) return;
    sums.sinks.heads += 1;
    if (sink) sums.sinks.hits += 1;
  }

  #measureRows(at: HeadAt, sample: HeadSample, table: RowTable): RowMeter {
    const { inputs, variant, parameters, dense, relevant } = this.#request;
    const rows = weighedRows(variant, inputs, parameters, at);
    const frame = frameHead(inputs, rows, at);
    if (this.#meter === undefined || frame.norm.length > this.#slots) this.#meter = new RowMeter(frame);
    this.#slots = Math.max(this.#slots, frame.norm.length);
    const meter = this.#meter;
    meter.sinks.startHead();
    const isDense = variant.name === dense.name;
    const head = { frame, variant: rows, dense: isDense ? undefined : weighedRows(dense, inputs, dense.parameters.parse({}), at) };
    for (const [index, query] of sample.queries.entries()) {
      meter.measure(head, { query, weight: sample.weights[index]!, relevant: relevant?.({ ...at, query }) }, table);
    }
    return meter;
  }
}

function seedOf(rows: RowSelection): number {
  return rows === 'all' ? 0 : rows.seed;
}

function describeRows({ inputs: { shape }, rows }: WasteRequest, measured: number): WasteReport['rows'] {
  const of = shape.batch * shape.heads * shape.queries;
  if (rows === 'all' || measured === of) return { selection: 'all', measured, of };
  return { selection: 'sampled', requested: rows.count, seed: rows.seed, measured, of };
}

function refuse({ inputs, variant, parameters, rows }: WasteRequest): void {
  const refusal = variant.rows === undefined ? weightlessReason : refusalOf(inputs, variant, parameters);
  if (refusal !== undefined) throw new AttnswapError('UNSUPPORTED', `waste of ${variant.name}: ${refusal}`);
  if (rows === 'all' || (Number.isSafeInteger(rows.seed) && Number.isSafeInteger(rows.count) && rows.count > 0)) return;
  throw new AttnswapError('USAGE', `waste: rows need a positive integer count and an integer seed, got ${rows.count} and ${rows.seed}`);
}

/**
 * The waste metrics of a variant on given inputs, overall and by query head, streamed over rows in float64: memory
 * O(keys·headDim + queries), never n². The same request gives the same figures.
 * @throws UNSUPPORTED where the variant refuses the shape, or weighs no pairs
 * @throws INVALID_INPUTS where a row's logits have no softmax
 * @throws USAGE where the rows' count or seed is not an integer
 */
export function measureWaste(request: WasteRequest): WasteReport {
  refuse(request);
  const { inputs, inputsName, variant, parameters, kernelScoredPairs, rows } = request;
  const { batch: batches, heads: headCount } = inputs.shape;
  const meter = new HeadMeter(request);
  const overall: MutableSums = { ...emptySums(), kernelScoredPairs };
  const heads: WasteReport['heads'] = [];
  for (let head = 0; head < headCount; head += 1) {
    const sums = emptySums();
    for (let batch = 0; batch < batches; batch += 1) meter.addHead({ batch, head }, sums);
    addSums(overall, sums);
    heads.push({ head, figures: figuresOf(sums) });
  }
  return {
    inputs: inputsName,
    variant: { name: variant.name, params: { ...parameters } },
    rows: describeRows(request, overall.rows),
    interval: { confidence, resamples, seed: seedOf(rows) },
    overall: figuresOf(overall),
    heads,
  };
}
