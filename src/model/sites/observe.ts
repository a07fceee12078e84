import type { BiasTensor } from '../../contract/inputs.ts';
import type { Shape } from '../../contract/shape.ts';
import { denseSpan } from '../../contract/span.ts';
import type { Tensor } from '../../contract/tensor.ts';
import { denseRows } from '../../variants/dense/rows.ts';
import { referenceOutput } from '../../variants/reference.ts';
import { sampleRows } from '../../variants/sample-rows.ts';
import type { Candidate, SinkSource } from './candidate.ts';
import { carriedSizes } from './carried-sizes.ts';
import type { Style } from './input-domains.ts';
import { isSameTensor, numbersOf } from './mask-sources.ts';
import type { Probed } from './probe-candidates.ts';
import { isBlind, keptKeys, maskedBelow, operatorScale, readMasks, tolerances } from './read-masks.ts';
import type { MaskReading } from './read-masks.ts';
import { ownWidth } from './views.ts';
import type { Seen } from './watch.ts';

export const misfit = 'its tensors are neither [batch, heads, n, d] nor [batch·heads, n, d] nor [batch, n, heads·d]';

/** One attention of one run, as the model computed it. */
export interface Observation {
  readonly style: Style;
  readonly seen: Seen;
  /** `causal` is not known yet, and false. */
  readonly shape: Shape;
  /** Of queries and keys, which zeros may make as wide as values. */
  readonly ownDim: number;
  /** `[batch, heads, queries, headDim]`. */
  readonly query: Float32Array;
  /** `[batch, kvHeads, keys, headDim]`. */
  readonly key: Float32Array;
  readonly value: Float32Array;
  /** `[batch, heads, queries, headDim]`, or as many queries as `rows` names. */
  readonly output: Float32Array;
  /** Queries whose output is there; absent where all are. */
  readonly rows?: readonly number[];
  /** The output for logits that are larger by a factor before they are capped; absent where nothing caps them. */
  readonly louder?: { readonly output: Float32Array; readonly factor: number };
  /** `[heads]`; absent where there are none. */
  readonly sinks?: Float32Array;
  readonly reading: MaskReading;
}

/** The runs as observations, or what is wrong with their sizes. */
export function observeAll(candidate: Candidate, { views, names, louder, given, runs, rowStep }: Probed): Observation[] | string {
  const observed: Observation[] = [];
  for (const { at, seen } of runs) {
    const [query, key, value, output] = [names.query, names.key, names.value, names.output].map((name) => seen.tensor(name)!);
    const [batch = 0, heads = 0, queries = 0, headDim = 0] = query!.dims;
    const [keyBatch = 0, kvHeads = 0, keys = 0, keyDim = 0] = key!.dims;
    const [, valueHeads, values, valueDim = 0] = value!.dims;
    if (keyDim !== headDim || valueDim !== headDim)
      return `queries, keys and values have head dimensions ${headDim}, ${keyDim} and ${valueDim}`;
    if (keyBatch !== batch || kvHeads === 0 || heads % kvHeads !== 0 || valueHeads !== kvHeads || values !== keys) return misfit;
    const other = Object.entries(given).find(([name, own]) => !isSameTensor(seen.tensor(name), seen.tensor(own)));
    if (other !== undefined) return `its output ${other[0]} is not what its inputs and its past give, byte for byte`;
    const known = observed[0]?.shape;
    if (known !== undefined && (known.headDim !== headDim || known.heads !== heads || known.kvHeads !== kvHeads))
      return `its sizes change with the input: ${known.heads} heads of ${known.headDim} in one run, ${heads} of ${headDim} in another`;
    const dtype = dtypeOf(query!);
    if (dtype === undefined) return `it computes in ${query!.type}; kernels support f32 and f16`;
    // A sequence that begins with padding may leave NaN in it, which the next layer then reads.
    const whole = [query!, key!, value!].every((tensor) => numbersOf(tensor).every(Number.isFinite));
    if (query!.dims.includes(0) || key!.dims.includes(0) || !whole) continue;
    const shape: Shape = { batch, heads, kvHeads, queries, keys, headDim, causal: false, dtype };
    const carried = candidate.path === undefined ? undefined : carriedSizes(candidate.path, seen);
    const run = { tensor: (name: string) => seen.tensor(name), dims: (name: string) => carried?.get(name) ?? [] };
    const reading = readMasks(candidate, run, { batch, heads, queries, keys }, tolerances[dtype]);
    if (reading === undefined) return 'its mask does not have a known size';
    if (typeof reading === 'string') return reading;
    const sinks = candidate.sinks && sinksIn(candidate.sinks, seen, heads);
    if (sinks !== undefined && sinks.length !== heads) return `its sinks are ${sinks.length} numbers, not one for each of ${heads} heads`;
    const [q, k, v, o] = [query, key, value, output].map((tensor) => numbersOf(tensor!));
    const ownDim = ownWidth(views!.query, headDim);
    const own = { style: at.style, seen, shape, ownDim, query: q!, key: k!, value: v!, output: o!, reading };
    const loud = louder && { output: numbersOf(seen.tensor(louder.output)!), factor: numbersOf(seen.tensor(louder.factor)!)[0]! };
    const rows = rowStep === undefined ? {} : { rows: Array.from({ length: output!.dims[2]! }, (_, at) => queries - 1 - at * rowStep) };
    observed.push({ ...own, ...rows, ...(loud !== undefined && { louder: loud }), ...(sinks !== undefined && { sinks }) });
  }
  return observed.length === 0 ? 'it received no finite numbers in any run' : observed;
}

function sinksIn({ tensor }: SinkSource, seen: Seen, heads: number): Float32Array {
  return tensor === undefined ? new Float32Array(heads) : numbersOf(seen.tensor(tensor)!);
}

/** The soft cap of all runs: undefined where there is none, NaN where runs differ. */
export function settleSoftcap(observed: readonly Observation[]): number | undefined {
  const [first, ...others] = observed.map(({ reading }) => reading.softcap);
  return others.every((other) => other === first) ? first : Number.NaN;
}

export function dtypeOf({ type }: Tensor): 'f32' | 'f16' | undefined {
  return type === 'float32' ? 'f32' : type === 'float16' ? 'f16' : undefined;
}

/** The factor of the products, 1/√d, 1 or 1/d of d wide queries where it is that within rounding; undefined where runs differ. */
export function settleScale(
  candidate: Candidate,
  seen: ReadonlyArray<{ reading: MaskReading }>,
  { ownDim, shape: { dtype } }: Observation,
): number | undefined {
  const own = operatorScale(candidate, ownDim);
  const [first, ...others] = seen.map(({ reading }) => reading.scale * own);
  const rounding = dtype === 'f32' ? 1e-5 : 2e-3;
  const near = (a: number, b: number) => Math.abs(a / b - 1) < rounding;
  if (!Number.isFinite(first) || first === 0 || others.some((other) => !near(other, first!))) return undefined;
  return [1 / Math.sqrt(ownDim), 1, 1 / ownDim].find((usual) => near(first!, usual)) ?? first;
}

/** Rows that are computed again in float64 where there are more. */
const judgedRows = 1024;

/** How far an output may be from the definition, by its size. */
const faithfulWithin = { f32: 1e-4, f16: 2e-2, bf16: 2e-2 } as const;
/** The same of larger logits, whose rounding is larger too: what a cap of another size leaves is about as large as the output. */
const louderWithin = { f32: 1e-2, f16: 0.2, bf16: 0.2 } as const;

interface Definition {
  readonly scale: number;
  readonly causal: boolean;
  readonly biased?: boolean;
}

/** The output must be softmax(scale·q·kᵀ)·v in float64, with the soft cap and sinks that were read; rows that see nothing are anyone's choice. */
export function disagreement(observation: Observation, definition: Definition): string | undefined {
  const { shape, output, louder, reading } = observation;
  if (isBlind(reading)) return undefined;
  const { scale } = definition;
  const relative = distance(observation, definition, output);
  const inner = reading.softcap === undefined ? '' : `, capped at ${reading.softcap}`;
  if (!(relative < faithfulWithin[shape.dtype]))
    return `its output is not softmax(${scale.toPrecision(4)}·q·kᵀ${inner})·v: it differs by ${relative.toPrecision(2)} of its size`;
  if (louder === undefined || !Number.isFinite(louder.factor)) return undefined;
  const ofLouder = distance(observation, { ...definition, scale: scale * louder.factor }, louder.output);
  if (ofLouder < louderWithin[shape.dtype]) return undefined;
  return `for logits beyond its soft cap, its output is not softmax(${scale.toPrecision(4)}·q·kᵀ${inner})·v, masked after the cap: it differs by ${ofLouder.toPrecision(2)} of its size`;
}

/** ‖output − definition‖ / ‖definition‖ over rows that see a key. */
function distance(observation: Observation, { scale, causal, biased = false }: Definition, output: Float32Array): number {
  const { shape, query, key, value, sinks, reading } = observation;
  const { softcap } = reading;
  const masks = biased ? { bias: biasIn(reading) } : { mask: keptKeys(reading, denseSpan(causal))! };
  const queries = observation.rows?.length ?? shape.queries;
  const places = sampleRows({ ...shape, queries }, { count: judgedRows, seed: 1 });
  const rows = places.map((at) => ({ ...at, query: observation.rows?.[at.query] ?? at.query }));
  const parts = { query, key, value, scale, ...masks, ...(softcap !== undefined && { softcap }), ...(sinks !== undefined && { sinks }) };
  const expected = referenceOutput({ shape: { ...shape, causal }, ...parts }, denseRows, {}, rows);
  let difference = 0;
  let size = 0;
  for (const [place, { batch, head, query: row }] of places.entries()) {
    const vector = expected.subarray(place * shape.headDim, (place + 1) * shape.headDim);
    if (vector.every((component) => component === 0)) continue;
    const at = ((batch * shape.heads + head) * queries + row) * shape.headDim;
    vector.forEach((component, m) => {
      difference += (output[at + m]! - component) ** 2;
      size += component ** 2;
    });
  }
  return Math.sqrt(difference / (size || 1));
}

/** What a reading says is added, with −∞ where a pair is masked. */
function biasIn({ added, headsDiffer, sizes: { batch, heads, queries, keys } }: MaskReading): BiasTensor {
  const dims = [batch, headsDiffer ? heads : 1, queries, keys] as const;
  const values = Float32Array.from({ length: dims[0] * dims[1] * queries * keys }, (_, at) => {
    const [row, plane] = [Math.floor(at / keys) % queries, Math.floor(at / (keys * queries))];
    const term = added(Math.floor(plane / dims[1]), plane % dims[1], row, at % keys);
    return term < maskedBelow ? -Infinity : term;
  });
  return { dims, values };
}
