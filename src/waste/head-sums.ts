import { addReplicateSums, seededGenerator } from '../statistics/resample.ts';
import { weighedRows } from '../variants/reference.ts';
import { settleParameters } from '../variants/settle-parameters.ts';
import { columnNames, RowTable } from './columns.ts';
import { groupColumns } from './group-meter.ts';
import type { WasteSums } from './figures.ts';
import { frameHead } from './head-frame.ts';
import { RowMeter } from './measure-row.ts';
import { seedOf } from './request.ts';
import type { WasteRequest } from './request.ts';
import type { HeadSample } from './select-rows.ts';
import { selectRows } from './select-rows.ts';
import { admitsSinks } from './sink.ts';

/** Bootstrap resamples of each head. */
export const resamples = 1000;

type HeadAt = { readonly batch: number; readonly head: number };
export type MutableSums = { -readonly [Key in keyof WasteSums]: WasteSums[Key] } & { sinks: { hits: number; heads: number } };

export function emptySums({ groups }: Pick<WasteRequest, 'groups'>): MutableSums {
  const columns = columnNames.length + groupColumns(groups);
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

/** Adds the sums of one head to those of others. */
export function addSums(target: MutableSums, head: WasteSums): void {
  target.rows += head.rows;
  addInto(target.sums, head.sums);
  addInto(target.replicates, head.replicates);
  target.sinks.hits += head.sinks.hits;
  target.sinks.heads += head.sinks.heads;
}

/** Measures head after head in buffers that it keeps; memory O(keys·headDim + queries). */
export class HeadMeter {
  readonly #request: WasteRequest;
  #meter: RowMeter | undefined;
  #slots = 0;

  constructor(request: WasteRequest) {
    this.#request = request;
  }

  /** The sums of one head over all batch elements. @throws INVALID_INPUTS */
  measure(head: number): WasteSums {
    const sums = emptySums(this.#request);
    for (let batch = 0; batch < this.#request.inputs.shape.batch; batch += 1) this.#add({ batch, head }, sums);
    return sums;
  }

  #add(at: HeadAt, sums: MutableSums): void {
    const { inputs, rows, groups } = this.#request;
    const sample = selectRows(inputs.shape, rows, at);
    const table = new RowTable(sample.queries.length, groupColumns(groups));
    const meter = this.#measureRows(at, sample, table);
    sums.rows += sample.queries.length;
    addInto(sums.sums, table.values);
    const generator = seededGenerator(seedOf(rows), `waste/resample/${at.batch}/${at.head}`);
    addReplicateSums(sums.replicates, { columns: table.columns, values: table.values, strata: sample.strata }, generator);
    if (!admitsSinks(inputs.shape.keys)) return;
    const sink = meter.sinks.hasSink(sample.queries.length === inputs.shape.queries ? 'all' : 'sampled');
    if (sink === undefined) return;
    sums.sinks.heads += 1;
    if (sink) sums.sinks.hits += 1;
  }

  #measureRows(at: HeadAt, sample: HeadSample, table: RowTable): RowMeter {
    const { inputs, variant, parameters, dense, relevant, groups = [] } = this.#request;
    const rows = weighedRows(variant, inputs, parameters, at);
    const frame = frameHead(inputs, rows, at);
    if (this.#meter === undefined || frame.norm.length > this.#slots) this.#meter = new RowMeter(frame, groups);
    this.#slots = Math.max(this.#slots, frame.norm.length);
    const meter = this.#meter;
    meter.startHead(frame);
    const isDense = variant.name === dense.name;
    const head = { frame, variant: rows, dense: isDense ? undefined : weighedRows(dense, inputs, settleParameters(dense, {}), at) };
    for (const [index, query] of sample.queries.entries()) {
      meter.measure(head, { query, weight: sample.weights[index]!, relevant: relevant?.({ ...at, query }) }, table);
    }
    return meter;
  }
}
