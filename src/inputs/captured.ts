import { AttnswapError } from '../contract/errors.ts';
import type { Gradients } from '../contract/adapter.ts';
import type { AttentionInputs, BiasTensor, GateTensors } from '../contract/inputs.ts';
import { removedBelow } from '../contract/inputs.ts';
import type { DType, Shape } from '../contract/shape.ts';
import { checkShape } from './check-shape.ts';
import { roundToDType } from './half-precision.ts';
import { floatsOf, openSafetensors, writeSafetensors } from './safetensors.ts';
import type { SafetensorsFile, TensorToWrite } from './safetensors.ts';

export interface CapturedInputs {
  readonly inputs: AttentionInputs;
  readonly metadata: ReadonlyMap<string, string>;
  readonly warnings: readonly string[];
}

/**
 * Reads captured inputs: `q` `[batch, heads, queries, headDim]`, `k` and `v` `[batch, kvHeads, keys, headDim]`, and where
 * present `mask` `[batch, keys]` (BOOL or U8, 1 keeps), `bias` (four axes that broadcast to
 * `[batch, heads, queries, keys]`), `sinks` `[heads]`, `gate.u` and `gate.w` `[heads, headDim, rank]`, `gate.b` `[heads]`.
 * Metadata `scale` replaces 1/√headDim; `softcap` caps the logits; `causal` holds where nothing is wanted, and warns where it differs from what is. So do many more
 * heads than tokens: they may be tokens, in the layout `[batch, n, heads, headDim]`.
 * @throws FILE_UNREADABLE, INVALID_SAFETENSORS, INVALID_INPUTS
 */
export async function readCapturedInputs(
  path: string,
  wanted: { readonly causal?: boolean | undefined; readonly dtype: DType },
): Promise<CapturedInputs> {
  const file = await openSafetensors(path);
  try {
    const query = await readFloats(file, 'q', 4);
    const key = await readFloats(file, 'k', 4);
    const value = await readFloats(file, 'v', 4);
    const [batch = 0, heads = 0, queries = 0, headDim = 0] = query.shape;
    const [, kvHeads = 0, keys = 0] = key.shape;
    requireShape(file, 'k', key.shape, [batch, kvHeads, keys, headDim]);
    requireShape(file, 'v', value.shape, [batch, kvHeads, keys, headDim]);
    const causal = wanted.causal ?? saysCausal(file) === true;
    const shape: Shape = { batch, heads, kvHeads, queries, keys, headDim, causal, dtype: wanted.dtype };
    requirePossible(file, shape);
    const mask = await readMask(file, shape);
    const bias = await readBias(file, shape);
    const sinks = await readSinks(file, shape);
    const softcap = readSoftcap(file);
    const gate = await readGate(file, shape);
    const inputs = {
      shape,
      query: rounded(file, 'q', query.values, shape.dtype),
      key: rounded(file, 'k', key.values, shape.dtype),
      value: rounded(file, 'v', value.values, shape.dtype),
      scale: readScale(file, headDim),
    };
    return {
      inputs: {
        ...inputs,
        ...(mask !== undefined && { mask }),
        ...(bias !== undefined && { bias }),
        ...(softcap !== undefined && { softcap }),
        ...(sinks !== undefined && { sinks }),
        ...(gate !== undefined && { gate }),
      },
      metadata: file.metadata,
      warnings: [...causalWarning(file, causal, wanted.causal), ...layoutWarning(file, shape)],
    };
  } finally {
    await file.close();
  }
}

function inputsError(file: SafetensorsFile, problem: string): AttnswapError {
  return new AttnswapError('INVALID_INPUTS', `${file.path}: ${problem}`, {
    hint: 'tensors: q [batch, heads, n_q, d], k and v [batch, kvHeads, n_k, d], optional mask [batch, n_k], bias [batch or 1, heads or 1, n_q or 1, n_k or 1] and sinks [heads]; for [batch, n, heads, d], swap axes 1 and 2',
  });
}

async function readFloats(file: SafetensorsFile, name: string, rank: number): Promise<{ values: Float32Array; shape: readonly number[] }> {
  const tensor = file.tensors.get(name);
  if (tensor === undefined)
    throw inputsError(file, `no tensor ${name}, only ${JSON.stringify([...file.tensors.keys()].slice(0, 10)).slice(0, 200)}`);
  if (tensor.shape.length !== rank) throw inputsError(file, `${name} has shape [${tensor.shape.join(', ')}], expected ${rank} dimensions`);
  if (!['F64', 'F32', 'F16', 'BF16'].includes(tensor.dtype))
    throw inputsError(file, `${name} has dtype ${tensor.dtype}, expected F64, F32, F16 or BF16`);
  const values = floatsOf(await file.bytes(tensor), tensor.dtype);
  const wrong = values.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0) throw inputsError(file, `${name} holds ${values[wrong]} at element ${wrong}, expected finite f32 numbers`);
  return { values, shape: tensor.shape };
}

/** Rounds finite values in place; one that only f32 holds would become infinite. */
function rounded(file: SafetensorsFile, name: string, values: Float32Array, dtype: DType): Float32Array {
  // Rounding keeps order, so the value that overflows first is the one of largest magnitude.
  let largest = 0;
  for (let index = 0; index < values.length; index += 1) {
    if (Math.abs(values[index]!) > Math.abs(values[largest]!)) largest = index;
  }
  const got = values[largest];
  roundToDType(values, dtype);
  if (got === undefined || Number.isFinite(values[largest])) return values;
  throw inputsError(file, `${name} holds ${got} at element ${largest}, more than ${dtype} can hold`);
}

/** {@link checkShape}, with the file to blame. */
function requirePossible(file: SafetensorsFile, shape: Shape): void {
  try {
    checkShape(shape);
  } catch (error) {
    throw inputsError(file, (error as Error).message);
  }
}

function requireShape(file: SafetensorsFile, name: string, got: readonly number[], expected: readonly number[]): void {
  if (got.length === expected.length && got.every((size, axis) => size === expected[axis])) return;
  throw inputsError(file, `${name} has shape [${got.join(', ')}], expected [${expected.join(', ')}]`);
}

async function readMask(file: SafetensorsFile, shape: Shape): Promise<Uint8Array | undefined> {
  const tensor = file.tensors.get('mask');
  if (tensor === undefined) return undefined;
  if (tensor.dtype !== 'BOOL' && tensor.dtype !== 'U8') throw inputsError(file, `mask has dtype ${tensor.dtype}, expected BOOL or U8`);
  requireShape(file, 'mask', tensor.shape, [shape.batch, shape.keys]);
  const mask = await file.bytes(tensor);
  const wrong = mask.findIndex((value) => value > 1);
  if (wrong >= 0) throw inputsError(file, `mask holds ${mask[wrong]} at element ${wrong}, expected 0 or 1`);
  return mask;
}

async function readBias(file: SafetensorsFile, { batch, heads, queries, keys, dtype }: Shape): Promise<BiasTensor | undefined> {
  if (!file.tensors.has('bias')) return undefined;
  const { values, shape: dims } = await readFloats(file, 'bias', 4);
  const full = [batch, heads, queries, keys];
  if (dims.some((size, axis) => size !== 1 && size !== full[axis]))
    throw inputsError(file, `bias has shape [${dims.join(', ')}], expected what broadcasts to [${full.join(', ')}]`);
  // What removes a pair removes it in any dtype.
  const held = values.map((value) => Math.max(value, 2 * removedBelow[dtype]));
  return { dims: dims as unknown as BiasTensor['dims'], values: rounded(file, 'bias', held, dtype) };
}

async function readSinks(file: SafetensorsFile, { heads, dtype }: Shape): Promise<Float32Array | undefined> {
  if (!file.tensors.has('sinks')) return undefined;
  const { values, shape } = await readFloats(file, 'sinks', 1);
  requireShape(file, 'sinks', shape, [heads]);
  return rounded(file, 'sinks', values, dtype);
}

async function readGate(file: SafetensorsFile, shape: Shape): Promise<GateTensors | undefined> {
  const present = ['gate.u', 'gate.w', 'gate.b'].filter((name) => file.tensors.has(name));
  if (present.length === 0) return undefined;
  if (present.length < 3) throw inputsError(file, `contains ${present.join(' and ')}, expected gate.u, gate.w and gate.b together`);
  const [u, w, b] = [await readFloats(file, 'gate.u', 3), await readFloats(file, 'gate.w', 3), await readFloats(file, 'gate.b', 1)];
  const rank = u.shape[2]!;
  if (rank < 1) throw inputsError(file, 'gate.u has rank 0, expected at least 1');
  requireShape(file, 'gate.u', u.shape, [shape.heads, shape.headDim, rank]);
  requireShape(file, 'gate.w', w.shape, [shape.heads, shape.headDim, rank]);
  requireShape(file, 'gate.b', b.shape, [shape.heads]);
  const round = (name: string, values: Float32Array) => rounded(file, name, values, shape.dtype);
  return { rank, u: round('gate.u', u.values), w: round('gate.w', w.values), b: round('gate.b', b.values) };
}

function readScale(file: SafetensorsFile, headDim: number): number {
  return readNumber(file, 'scale', { accepts: Number.isFinite, expected: 'a finite number' }) ?? 1 / Math.sqrt(headDim);
}

function readSoftcap(file: SafetensorsFile): number | undefined {
  return readNumber(file, 'softcap', { accepts: (value) => Number.isFinite(value) && value > 0, expected: 'a number above 0' });
}

function readNumber(
  file: SafetensorsFile,
  name: string,
  { accepts, expected }: { accepts: (value: number) => boolean; expected: string },
): number | undefined {
  const text = file.metadata.get(name);
  if (text === undefined) return undefined;
  const value = text.trim() === '' ? NaN : Number(text);
  if (accepts(value)) return value;
  throw inputsError(file, `metadata ${name} is ${JSON.stringify(text.slice(0, 50))}, expected ${expected}`);
}

/** What a file says of its attention; its own text where that is no truth value, undefined where it says nothing. */
function saysCausal(file: SafetensorsFile): boolean | string | undefined {
  const text = file.metadata.get('causal')?.toLowerCase();
  if (text === 'true' || text === '1') return true;
  return text === 'false' || text === '0' ? false : text;
}

function causalWarning(file: SafetensorsFile, causal: boolean, wanted: boolean | undefined): string[] {
  const says = saysCausal(file);
  if (wanted === undefined && says === true) return [`${file.path}: measured with causal=true, as its metadata says`];
  if (says === undefined || says === causal) return [];
  const told = typeof says === 'string' ? JSON.stringify(says.slice(0, 50)) : says;
  return [`${file.path}: its metadata says causal=${told}, but it was measured with causal=${causal}`];
}

function layoutWarning(file: SafetensorsFile, { heads, queries, keys }: Shape): string[] {
  if (heads <= 2 * Math.max(queries, keys)) return [];
  const read = `q and k were read as ${heads} heads of ${queries} queries and ${keys} keys ([batch, heads, n, d])`;
  return [`${file.path}: ${read}; if they are [batch, n, heads, d], as in flash-attention, swap axes 1 and 2`];
}

/** Writes an output `[batch, heads, queries, headDim]` as F32 tensor `o`. @throws FILE_UNWRITABLE */
export async function writeOutput(
  path: string,
  output: Float32Array,
  shape: Shape,
  metadata: Readonly<Record<string, string>>,
): Promise<void> {
  await writeSafetensors(
    path,
    { o: { dtype: 'F32', shape: [shape.batch, shape.heads, shape.queries, shape.headDim], data: output } },
    metadata,
  );
}

/**
 * Reads an output as {@link writeOutput} writes it; whether its values are right is not asked.
 * @throws FILE_UNREADABLE, INVALID_SAFETENSORS, INVALID_INPUTS for another name, shape or dtype
 */
export async function readOutput(path: string, { batch, heads, queries, headDim }: Shape): Promise<Float32Array> {
  const { o } = await readResults(path, { o: [batch, heads, queries, headDim] });
  return o!;
}

/**
 * Reads `dq`, `dk` and `dv`, the gradients with respect to query, key and value, in their shapes.
 * @throws FILE_UNREADABLE, INVALID_SAFETENSORS, INVALID_INPUTS for another name, shape or dtype
 */
export async function readGradients(path: string, { batch, heads, kvHeads, queries, keys, headDim }: Shape): Promise<Gradients> {
  const shared = [batch, kvHeads, keys, headDim];
  const { dq, dk, dv } = await readResults(path, { dq: [batch, heads, queries, headDim], dk: shared, dv: shared });
  return { query: dq!, key: dk!, value: dv! };
}

async function readResults(path: string, shapes: Readonly<Record<string, readonly number[]>>): Promise<Record<string, Float32Array>> {
  const file = await openSafetensors(path);
  try {
    const results: Record<string, Float32Array> = {};
    for (const [name, shape] of Object.entries(shapes)) {
      const tensor = file.tensors.get(name);
      const expected = `F32 [${shape.join(', ')}]`;
      const got = tensor === undefined ? 'no such tensor' : `${tensor.dtype} [${tensor.shape.join(', ')}]`;
      if (tensor === undefined || got !== expected)
        throw new AttnswapError('INVALID_INPUTS', `${path}: output ${name}: got ${got}, expected ${expected}`);
      results[name] = floatsOf(await file.bytes(tensor), 'F32');
    }
    return results;
  } finally {
    await file.close();
  }
}

/** Writes inputs in the form that {@link readCapturedInputs} reads, and a gradient with respect to the output as `do`. @throws FILE_UNWRITABLE */
export async function writeInputs(
  path: string,
  inputs: AttentionInputs,
  metadata: Readonly<Record<string, string>> = {},
  outputGradient?: Float32Array,
): Promise<void> {
  const { batch, heads, kvHeads, queries, keys, headDim } = inputs.shape;
  const float = (data: Float32Array, ...shape: number[]): TensorToWrite => ({ dtype: 'F32', shape, data });
  const { mask, bias, softcap, sinks, gate } = inputs;
  const tensors: Record<string, TensorToWrite> = {
    q: float(inputs.query, batch, heads, queries, headDim),
    k: float(inputs.key, batch, kvHeads, keys, headDim),
    v: float(inputs.value, batch, kvHeads, keys, headDim),
    ...(gate !== undefined && {
      'gate.u': float(gate.u, heads, headDim, gate.rank),
      'gate.w': float(gate.w, heads, headDim, gate.rank),
      'gate.b': float(gate.b, heads),
    }),
    ...(mask !== undefined && { mask: { dtype: 'U8', shape: [batch, keys], data: mask } }),
    ...(bias !== undefined && { bias: float(bias.values, ...bias.dims) }),
    ...(sinks !== undefined && { sinks: float(sinks, heads) }),
    ...(outputGradient !== undefined && { do: float(outputGradient, batch, heads, queries, headDim) }),
  };
  const facts = {
    scale: String(inputs.scale),
    causal: String(inputs.shape.causal),
    ...(softcap !== undefined && { softcap: String(softcap) }),
  };
  await writeSafetensors(path, tensors, { ...facts, ...metadata });
}
