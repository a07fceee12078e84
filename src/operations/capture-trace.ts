import { join } from 'node:path';
import { AttnswapError } from '../contract/errors.ts';
import type { AttentionInputs } from '../contract/inputs.ts';
import type { Shape } from '../contract/shape.ts';
import { formatRequests } from '../contract/requests.ts';
import { requireWritableFolder } from '../files/writable.ts';
import { writeInputs } from '../inputs/captured.ts';
import { floatTypes, gathered, namesOf, requestsOf, rowsOf, scaleOf, wrong } from '../inputs/flashinfer/requests.ts';
import type { Request, Rows } from '../inputs/flashinfer/requests.ts';
import { readTrace } from '../inputs/flashinfer/trace.ts';
import type { Workload } from '../inputs/flashinfer/trace.ts';
import { checkShape } from '../inputs/check-shape.ts';
import { floatsOf } from '../inputs/safetensors.ts';
import type { OperationOptions } from './options.ts';

export interface CaptureTraceOptions extends Pick<OperationOptions, 'onProgress' | 'onWarning' | 'signal'> {
  /** A FlashInfer trace: a file of JSON lines. */
  readonly trace: string;
  /** Output folder, created if missing. */
  readonly out: string;
  /** The data set's folder, to which paths of tensors are relative. @default the folder whose `workloads/` or `traces/` holds the file */
  readonly root?: string | undefined;
  /** Requests of each workload to write. @default all */
  readonly items?: number | undefined;
}

export interface CapturedTrace {
  readonly files: readonly string[];
  readonly workloads: readonly CapturedWorkload[];
}

export interface CapturedWorkload {
  readonly definition: string;
  readonly uuid: string;
  /** Its requests in the notation of a suite's `shapes`; null if their lengths were not dumped. */
  readonly shape: string | null;
  /** One per request. */
  readonly files: readonly string[];
  /** Why there are no files; null if there are. */
  readonly reason: string | null;
}

/**
 * Writes the requests of a FlashInfer trace as captured inputs, one safetensors file each; of a workload whose tensors were not dumped, it tells the
 * lengths alone.
 * @throws FILE_UNREADABLE, INVALID_DATA, INVALID_SAFETENSORS, INVALID_SHAPE, FILE_UNWRITABLE, INTERRUPTED
 */
export async function captureTrace({ trace, root, signal, onProgress, ...options }: CaptureTraceOptions): Promise<CapturedTrace> {
  const workloads = await readTrace(trace, root);
  requireOwnFiles(workloads);
  const captured: CapturedWorkload[] = [];
  for (const [done, workload] of workloads.entries()) {
    signal?.throwIfAborted();
    onProgress?.({ what: workload.definition, done, total: workloads.length });
    captured.push(await captureWorkload(workload, options));
  }
  return { files: captured.flatMap(({ files }) => files), workloads: captured };
}

async function captureWorkload(
  workload: Workload,
  { out, items, onWarning }: Pick<CaptureTraceOptions, 'out' | 'items' | 'onWarning'>,
): Promise<CapturedWorkload> {
  const { definition, uuid } = workload;
  const nothing = (shape: string | null, reason: string) => ({ definition, uuid, shape, files: [], reason });
  const names = namesOf(workload);
  if (names === undefined)
    return nothing(null, `no attention with keys and values of its own: it has ${Object.keys(workload.inputs).join(', ')}`);
  const requests = await requestsOf(workload);
  if (requests === undefined) return nothing(null, 'its index tensors were not dumped');
  if (requests.length === 0) return nothing(null, 'no request has queries and keys');
  const shape = shapeOf(requests);
  // One after the other, so that of several faults the first is told.
  const rows: Array<Rows | undefined> = [];
  for (const name of names) rows.push(await rowsOf(workload, name));
  const [query, key, value] = rows;
  if (query === undefined || key === undefined || value === undefined) {
    const missing = names.filter((_, at) => rows[at] === undefined);
    return nothing(shape, `${missing.join(', ')} not dumped as ${floatTypes.join(', ')}`);
  }
  const scale = await scaleOf(workload);
  if (scale === undefined) onWarning?.(`${workload.source}: sm_scale was not dumped: 1/√d is assumed, as FlashInfer does by default`);
  await requireWritableFolder(out);
  const files: string[] = [];
  for (const [at, request] of requests.slice(0, items).entries()) {
    const file = join(out, `${stemOf(workload)}-${at}.safetensors`);
    const inputs = inputsOf(workload, request, { query, key, value, scale });
    await writeInputs(file, inputs, { trace: definition, workload: uuid, request: String(at) });
    files.push(file);
  }
  return { definition, uuid, shape, files, reason: null };
}

/** What the names of a workload's files begin with. */
function stemOf({ definition, uuid }: Workload): string {
  return `${definition}-${uuid}`.replaceAll(/[^\w.-]/g, '-');
}

/** No file is written over by another workload; the same one may be there more than once, as in the traces of several solutions. @throws INVALID_DATA */
function requireOwnFiles(workloads: readonly Workload[]): void {
  const contentOf = ({ definition, uuid, inputs }: Workload) => JSON.stringify([definition, uuid, inputs]);
  for (const [stem, own] of Map.groupBy(workloads, stemOf)) {
    const other = own.find((each) => contentOf(each) !== contentOf(own[0]!));
    if (other !== undefined)
      throw new AttnswapError('INVALID_DATA', `${other.source}: its files would be named ${stem}, as those of ${own[0]!.source}`, {
        hint: 'give each workload its own uuid',
      });
  }
}

interface Dumped {
  readonly query: Rows;
  readonly key: Rows;
  readonly value: Rows;
  readonly scale: number | undefined;
}

function inputsOf(workload: Workload, request: Request, { query, key, value, scale }: Dumped): AttentionInputs {
  const { heads, headDim } = query;
  if (key.heads !== value.heads || heads % key.heads !== 0 || [key.headDim, value.headDim].some((size) => size !== headDim))
    throw wrong(
      workload,
      `heads and sizes do not match: q ${heads} × ${headDim}, k ${key.heads} × ${key.headDim}, v ${value.heads} × ${value.headDim}`,
    );
  const shape: Shape = {
    batch: 1,
    heads,
    kvHeads: key.heads,
    queries: request.queries.length,
    keys: request.keys.length,
    headDim,
    // FlashInfer aligns the mask to the last key, as here; of a single query it removes nothing.
    causal: isCausal(workload) || request.queries.length === 1,
    dtype: 'f32',
  };
  checkShape(shape);
  const of = (rows: Rows, tokens: readonly number[]) => floatsOf(gathered(workload, rows, tokens), rows.dtype);
  return {
    shape,
    query: of(query, request.queries),
    key: of(key, request.keys),
    value: of(value, request.keys),
    scale: scale ?? 1 / Math.sqrt(headDim),
  };
}

/** As its definition's name says. */
function isCausal({ definition }: Workload): boolean {
  return /(?:^|_)causal(?:_|$)/.test(definition) && !definition.includes('non_causal');
}

/** Equal requests together, in the order of their first. */
function shapeOf(requests: readonly Request[]): string {
  const alike = Map.groupBy(requests, ({ queries, keys }) => `${queries.length} ${keys.length}`);
  return formatRequests(
    [...alike.values()].map((own) => ({ count: own.length, queries: own[0]!.queries.length, keys: own[0]!.keys.length })),
  );
}
