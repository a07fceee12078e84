import type { AttentionInputs } from '../../contract/inputs.ts';
import { kvHeadOf } from '../../contract/shape.ts';
import type { HeadAddress, HeadOutputs, Parameters, Variant } from '../../contract/variant.ts';
import { unitRoundoff } from '../budget.ts';
import { viewHead } from '../head-view.ts';
import type { HeadView } from '../head-view.ts';
import { refusePositions, workOf } from '../work.ts';
import { features } from './features.ts';
import { linearParameters, linearSettings } from './parameters.ts';
import type { LinearSettings } from './parameters.ts';
import { createReading, State } from './state.ts';
import type { Reading } from './state.ts';

/**
 * Linear attention: each key changes a state, `[headDim, headDim]` for each key/value head, that queries read. Katharopoulos et al. 2020
 * (`linear`), Sun et al. 2023 (`gated`, with RetNet's decays), Yang et al. 2024 (`delta`), Yang, Kautz and Hatamizadeh 2024 (`gated-delta`).
 */
export const linear: Variant = {
  name: 'linear',
  summary: 'a running state in place of pairs: added to, decayed, or corrected by the delta rule',
  parameters: linearParameters,
  refuses(given, shape) {
    const { rule } = linearSettings(given);
    if (rule === 'linear') return undefined;
    if (rule !== 'gated' && !shape.causal) return `linear with rule=${rule} is causal only: its state depends on the order of the keys`;
    return refusePositions(`linear with rule=${rule}`, shape);
  },
  cost(given, shape) {
    const { rule, beta, normalized } = linearSettings(given);
    const { batch, heads, kvHeads, queries, keys, headDim, causal } = shape;
    const columns = headDim + (normalized ? 1 : 0);
    const passes = rule === 'gated' && !causal ? 2 : 1;
    const perKey = 2 + (rule.startsWith('gated') ? 1 : 0) + (beta === undefined ? 0 : 2);
    const flops = passes * batch * headDim * columns * (perKey * kvHeads * keys + 2 * heads * queries);
    const stateBytes = 4 * passes * batch * kvHeads * headDim * columns;
    return { ...workOf(shape, { scoredPairs: 0, weightedPairs: 0, extraFlops: flops }), stateBytes };
  },
  outputs: headOutputs,
};

/** The queries of one head that are read, with the state that they read from. */
interface Head {
  readonly view: HeadView;
  readonly settings: LinearSettings;
  readonly gamma: number;
  /** φ(k), `[keys, headDim]`, and values, `[keys, columns]`: with a column of ones where weights are summed. */
  readonly keys: Float64Array;
  readonly values: Float64Array;
  readonly columns: number;
  /** φ(q), `[queries asked for, headDim]`, and what each has read so far. */
  readonly queries: Float64Array;
  readonly readings: readonly Reading[];
}

function headOutputs(inputs: AttentionInputs, given: Parameters, at: HeadAddress, queries: readonly number[]): HeadOutputs {
  const settings = linearSettings(given);
  const view = viewHead(inputs, at);
  const { headDim, dtype } = view.shape;
  const columns = headDim + (settings.normalized ? 1 : 0);
  const head: Head = {
    view,
    settings,
    gamma: settings.decayOf(kvHeadOf(view.shape, at.head)),
    keys: features(view.key, headDim, settings),
    values: Float64Array.from({ length: view.shape.keys * columns }, (_, index) => {
      const column = index % columns;
      return column === headDim ? 1 : view.value[((index - column) / columns) * headDim + column]!;
    }),
    columns,
    queries: features(rowsOf(view.query, headDim, queries), headDim, settings),
    readings: queries.map(() => createReading(columns)),
  };
  const places = Map.groupBy(queries.keys(), (place) => queries[place]! + view.offset);
  readForward(head, places);
  if (settings.rule === 'gated' && !view.shape.causal) readBackward(head, places);
  const output = new Float64Array(queries.length * headDim);
  const roundoff = unitRoundoff[dtype];
  const allowance = Float64Array.from(head.readings, (reading, place) =>
    finish(reading, output.subarray(place * headDim, (place + 1) * headDim), { view, normalized: settings.normalized, roundoff }),
  );
  return { output, allowance };
}

/** Every key up to a query's position, its own too; all keys where nothing depends on positions. */
function readForward(head: Head, places: ReadonlyMap<number, readonly number[]>): void {
  const { view, settings, gamma } = head;
  const state = stateOf(head);
  const inOrder = view.shape.causal || settings.rule !== 'linear';
  for (let j = 0; j < view.shape.keys; j++) {
    if (isKept(view, j)) {
      const [key, value] = [rowOf(head.keys, view.shape.headDim, j), rowOf(head.values, head.columns, j)];
      state.decay(gamma);
      if (settings.beta === undefined) state.add(key, value);
      else state.write(key, value, settings.beta);
    }
    if (inOrder) read(head, state, places.get(j));
  }
  if (!inOrder) read(head, state, head.readings.keys());
}

/** Every key after a query's position. */
function readBackward(head: Head, places: ReadonlyMap<number, readonly number[]>): void {
  const { view, gamma } = head;
  const state = stateOf(head);
  for (let j = view.shape.keys - 1; j >= 0; j--) {
    read(head, state, places.get(j));
    if (!isKept(view, j)) continue;
    state.add(rowOf(head.keys, view.shape.headDim, j), rowOf(head.values, head.columns, j));
    state.decay(gamma);
  }
}

function stateOf({ view, settings, columns }: Head): State {
  const roundoffs = { sums: unitRoundoff.f32, features: unitRoundoff[view.shape.dtype], leastFeature: settings.map === 'elu' ? 1 : 0 };
  return new State(view.shape.headDim, columns, roundoffs);
}

function read({ view, columns, queries, readings }: Head, state: State, places: Iterable<number> = []): void {
  const found = createReading(columns);
  for (const place of places) {
    state.read(rowOf(queries, view.shape.headDim, place), found);
    const { value, variance } = readings[place]!;
    for (let b = 0; b < columns; b++) {
      value[b]! += found.value[b]!;
      variance[b]! += found.variance[b]!;
    }
  }
}

/** Writes a query's output, and returns the error to expect in it: a row whose weights are all 0 gives zeros. */
function finish(
  { value, variance }: Reading,
  output: Float64Array,
  { view, normalized, roundoff }: { view: HeadView; normalized: boolean; roundoff: number },
): number {
  const { headDim } = view.shape;
  const sum = normalized ? value[headDim]! : 1;
  if (sum === 0) return 0;
  const factor = normalized ? 1 / sum : view.scale;
  let square = 0;
  for (let m = 0; m < headDim; m++) {
    output[m] = factor * value[m]!;
    square += factor ** 2 * variance[m]! + (2 * roundoff * output[m]!) ** 2;
    if (normalized) square += (output[m]! * factor) ** 2 * variance[headDim]!;
  }
  return Math.sqrt(square);
}

function isKept({ mask }: HeadView, key: number): boolean {
  return mask === undefined || mask[key] !== 0;
}

function rowOf(rows: Float64Array, width: number, row: number): Float64Array {
  return rows.subarray(row * width, (row + 1) * width);
}

function rowsOf(vectors: Float32Array, width: number, rows: readonly number[]): Float32Array {
  const chosen = new Float32Array(rows.length * width);
  for (const [place, row] of rows.entries()) chosen.set(vectors.subarray(row * width, (row + 1) * width), place * width);
  return chosen;
}
