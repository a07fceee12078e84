import { AttnswapError } from '../../contract/errors.ts';
import { elementBytes, isReadable } from '../safetensors-header.ts';
import { floatsOf, openSafetensors } from '../safetensors.ts';
import { tensorFile } from './trace.ts';
import type { Workload } from './trace.ts';

/** Rows of a dumped tensor, one per token. */
export interface Rows {
  /** Row-major bytes, little-endian. */
  readonly bytes: Uint8Array;
  readonly dtype: string;
  readonly count: number;
  readonly heads: number;
  readonly headDim: number;
}

/** One request of a batch: which rows of the queries are its own, and which of keys and values, in its order. */
export interface Request {
  readonly queries: readonly number[];
  readonly keys: readonly number[];
}

/** Of a whole batch. */
const mostTokens = 2 ** 24;

/** What a workload attends with: `k` and `v` lie together, or on pages of a cache. */
export function namesOf({ inputs }: Workload): readonly [query: string, key: string, value: string] | undefined {
  const has = (...names: readonly string[]) => names.every((name) => Object.hasOwn(inputs, name));
  if (has('q', 'k', 'v', 'qo_indptr', 'kv_indptr')) return ['q', 'k', 'v'];
  return has('q', 'k_cache', 'v_cache', 'kv_indptr', 'kv_indices') ? ['q', 'k_cache', 'v_cache'] : undefined;
}

/** The requests of a workload; undefined where its index tensors were not dumped. Requests without queries or keys are left out. @throws INVALID_DATA, INVALID_SAFETENSORS, FILE_UNREADABLE */
export async function requestsOf(workload: Workload): Promise<readonly Request[] | undefined> {
  const kvOffsets = await integers(workload, 'kv_indptr');
  if (kvOffsets === undefined) return undefined;
  const count = kvOffsets.length - 1;
  // Without offsets of its queries it is a decoding step: a query per request.
  const queryOffsets =
    'qo_indptr' in workload.inputs ? await integers(workload, 'qo_indptr') : Array.from({ length: count + 1 }, (_, at) => at);
  if (queryOffsets === undefined) return undefined;
  for (const [name, offsets] of Object.entries({ kv_indptr: kvOffsets, qo_indptr: queryOffsets }))
    if (offsets.length !== count + 1 || offsets[0] !== 0 || offsets.some((offset, at) => at > 0 && offset < offsets[at - 1]!))
      throw wrong(workload, `${name} does not rise from 0 in ${count + 1} steps`);
  const isPaged = 'kv_indices' in workload.inputs;
  const pageSize = isPaged ? Number(/_ps(\d{1,4})(?:_|$)/.exec(workload.definition)?.[1] ?? 1) : 1;
  if (queryOffsets[count]! > mostTokens || kvOffsets[count]! * pageSize > mostTokens)
    throw wrong(workload, `it has ${queryOffsets[count]} queries and ${kvOffsets[count]! * pageSize} keys, expected at most ${mostTokens}`);
  const pages = isPaged ? await integers(workload, 'kv_indices') : range(0, kvOffsets[count]!);
  if (pages === undefined) return undefined;
  if (pages.length < kvOffsets[count]!) throw wrong(workload, `kv_indices holds ${pages.length} pages, expected ${kvOffsets[count]}`);
  const lastLengths = pageSize === 1 ? undefined : await integers(workload, 'kv_last_page_len');
  if (pageSize > 1 && lastLengths?.length !== count) return undefined;
  const requests = Array.from({ length: count }, (_, at): Request => {
    const own = pages.slice(kvOffsets[at], kvOffsets[at + 1]);
    const unused = lastLengths === undefined ? 0 : pageSize - lastLengths[at]!;
    if (unused < 0 || unused >= pageSize) throw wrong(workload, `kv_last_page_len holds ${lastLengths?.[at]}, expected 1 to ${pageSize}`);
    const tokens = own.flatMap((page) => range(page * pageSize, (page + 1) * pageSize));
    return { queries: range(queryOffsets[at]!, queryOffsets[at + 1]!), keys: tokens.slice(0, tokens.length - unused) };
  });
  return requests.filter(({ queries, keys }) => queries.length > 0 && keys.length > 0);
}

/** A dumped tensor of `[tokens, heads, headDim]`, or of pages of them; undefined where it was not dumped. @throws INVALID_DATA, INVALID_SAFETENSORS, FILE_UNREADABLE */
export async function rowsOf(workload: Workload, name: string): Promise<Rows | undefined> {
  const tensor = await dumped(workload, name);
  if (tensor === undefined) return undefined;
  const { bytes, dtype, shape } = tensor;
  const [headDim = 0, heads = 0, ...tokens] = shape.toReversed();
  if (tokens.length < 1 || tokens.length > 2 || !['F64', 'F32', 'F16', 'BF16'].includes(dtype))
    throw wrong(workload, `${name} is ${dtype} [${shape.join(', ')}], expected floats of [tokens, heads, d] or [pages, tokens, heads, d]`);
  return { bytes, dtype, heads, headDim, count: tokens.reduce((product, size) => product * size, 1) };
}

/** The rows of one request as `[heads, tokens, headDim]`. @throws INVALID_DATA where one is beyond the tensor */
export function gathered(
  workload: Workload,
  { bytes, dtype, count, heads, headDim }: Rows,
  rows: readonly number[],
): Uint8Array<ArrayBuffer> {
  const size = headDim * elementBytes[dtype as keyof typeof elementBytes];
  const result = new Uint8Array(heads * rows.length * size);
  for (const [at, row] of rows.entries()) {
    if (row < 0 || row >= count) throw wrong(workload, `token ${row} is asked for, of ${count}`);
    for (let head = 0; head < heads; head++) {
      const from = (row * heads + head) * size;
      result.set(bytes.subarray(from, from + size), (head * rows.length + at) * size);
    }
  }
  return result;
}

/** The factor of the logits; undefined where it was not recorded. @throws INVALID_DATA, INVALID_SAFETENSORS, FILE_UNREADABLE */
export async function scaleOf(workload: Workload): Promise<number | undefined> {
  const input = workload.inputs['sm_scale'];
  const tensor = await dumped(workload, 'sm_scale');
  const scale =
    tensor === undefined ? (input?.type === 'scalar' ? Number(input.value) : undefined) : floatsOf(tensor.bytes, tensor.dtype)[0];
  if (scale !== undefined && !(Number.isFinite(scale) && scale > 0))
    throw wrong(workload, `sm_scale is ${scale}, expected a number above 0`);
  return scale;
}

async function integers(workload: Workload, name: string): Promise<readonly number[] | undefined> {
  const tensor = await dumped(workload, name);
  if (tensor === undefined) return undefined;
  const { bytes, dtype } = tensor;
  if (dtype === 'I32') return [...new Int32Array(bytes.buffer)];
  if (dtype === 'I64') return [...new BigInt64Array(bytes.buffer)].map(Number);
  throw wrong(workload, `${name} is ${dtype}, expected I32 or I64`);
}

async function dumped(workload: Workload, name: string) {
  const input = workload.inputs[name];
  if (input?.type !== 'safetensors') return undefined;
  const path = await tensorFile(workload, input.path);
  const file = await openSafetensors(path);
  try {
    const tensor = file.tensors.get(input.tensor_key);
    if (tensor === undefined || !isReadable(tensor.dtype))
      throw wrong(workload, `${name}: ${path} holds no readable tensor ${input.tensor_key}`);
    return { bytes: await file.bytes(tensor), dtype: tensor.dtype, shape: tensor.shape };
  } finally {
    await file.close();
  }
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, at) => from + at);
}

export function wrong({ source }: Workload, problem: string): AttnswapError {
  return new AttnswapError('INVALID_DATA', `${source}: ${problem}`, { hint: 'record the trace again with flashinfer-bench' });
}
