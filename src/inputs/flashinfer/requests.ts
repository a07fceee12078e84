import { AttnswapError } from '../../contract/errors.ts';
import { elementBytes } from '../safetensors-header.ts';
import type { TensorEntry } from '../safetensors-header.ts';
import { floatsOf, openSafetensors } from '../safetensors.ts';
import type { SafetensorsFile } from '../safetensors.ts';
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
export const floatTypes: readonly string[] = ['F64', 'F32', 'F16', 'BF16'];

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
      throw wrong(workload, `${name} does not rise from 0 in ${count + 1} values`);
  const isPaged = 'kv_indices' in workload.inputs;
  const pageSize = isPaged ? pageSizeOf(workload) : 1;
  if (queryOffsets[count]! > mostTokens || kvOffsets[count]! * pageSize > mostTokens)
    throw wrong(workload, `it has ${queryOffsets[count]} queries and ${kvOffsets[count]! * pageSize} keys, expected at most ${mostTokens}`);
  await requireRows(workload, 'q', queryOffsets[count]!);
  if (!isPaged) await requireRows(workload, 'k', kvOffsets[count]!);
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

/** Offsets end within the tensor that they are of, where that was dumped: seen before so many tokens are listed. @throws INVALID_DATA */
async function requireRows(workload: Workload, name: string, end: number): Promise<void> {
  const rows = await dumped(workload, name, async ({ shape }) => shape.slice(0, -2).reduce((product, size) => product * size, 1));
  if (rows !== undefined && end > rows) throw wrong(workload, `${name}: token ${end - 1} is out of range, expected less than ${rows}`);
}

/** Tokens on a page of a cache, which the name of the definition tells. @throws INVALID_DATA */
function pageSizeOf(workload: Workload): number {
  const size = Number(/_ps(\d{1,4})(?:_|$)/.exec(workload.definition)?.[1] ?? 1);
  if (size === 0) throw wrong(workload, `${workload.definition} declares pages of 0 tokens`);
  return size;
}

/** A dumped tensor of `[tokens, heads, headDim]`, or of pages of them; undefined where it was not dumped as floats that are read. @throws INVALID_DATA, INVALID_SAFETENSORS, FILE_UNREADABLE */
export async function rowsOf(workload: Workload, name: string): Promise<Rows | undefined> {
  return dumped(workload, name, async (tensor, file) => {
    const { dtype, shape } = tensor;
    if (!floatTypes.includes(dtype)) return undefined;
    const [headDim = 0, heads = 0, ...tokens] = shape.toReversed();
    if (tokens.length < 1 || tokens.length > 2)
      throw wrong(workload, `${name} is ${dtype} [${shape.join(', ')}], expected [tokens, heads, d] or [pages, tokens, heads, d]`);
    if (name.endsWith('_cache') && tokens.length === 2 && tokens[0] !== pageSizeOf(workload))
      throw wrong(workload, `${name} has pages of ${tokens[0]} tokens, its definition declares ${pageSizeOf(workload)}`);
    const count = tokens.reduce((product, size) => product * size, 1);
    return { bytes: await file.bytes(tensor), dtype, heads, headDim, count };
  });
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
    if (row < 0 || row >= count) throw wrong(workload, `token ${row} is out of range, expected less than ${count}`);
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
  const scale =
    input?.type === 'scalar'
      ? Number(input.value)
      : await dumped(workload, 'sm_scale', async (tensor, file) => {
          const { dtype, shape } = tensor;
          if (!floatTypes.includes(dtype) || shape.some((size) => size !== 1))
            throw wrong(workload, `sm_scale is ${dtype} [${shape.join(', ')}], expected one of ${floatTypes.join(', ')}`);
          return floatsOf(await file.bytes(tensor), dtype)[0];
        });
  if (scale !== undefined && !(Number.isFinite(scale) && scale > 0))
    throw wrong(workload, `sm_scale is ${scale}, expected a number above 0`);
  return scale;
}

async function integers(workload: Workload, name: string): Promise<readonly number[] | undefined> {
  return dumped(workload, name, async (tensor, file) => {
    const { dtype, shape } = tensor;
    if ((dtype !== 'I32' && dtype !== 'I64') || shape.length !== 1 || shape[0]! > mostTokens + 1)
      throw wrong(workload, `${name} is ${dtype} [${shape.join(', ')}], expected I32 or I64 [n], n at most ${mostTokens + 1}`);
    const { buffer } = await file.bytes(tensor);
    return dtype === 'I32' ? [...new Int32Array(buffer)] : [...new BigInt64Array(buffer)].map(Number);
  });
}

/** What `read` makes of a tensor, which it checks before it reads the values; undefined where it was not dumped. */
async function dumped<Value>(
  workload: Workload,
  name: string,
  read: (tensor: TensorEntry, file: SafetensorsFile) => Promise<Value>,
): Promise<Value | undefined> {
  const input = workload.inputs[name];
  if (input?.type !== 'safetensors') return undefined;
  const path = await tensorFile(workload, input.path);
  const file = await openSafetensors(path);
  try {
    const tensor = file.tensors.get(input.tensor_key);
    if (tensor === undefined) throw wrong(workload, `${name}: ${path} holds no tensor ${input.tensor_key}`);
    return await read(tensor, file);
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
