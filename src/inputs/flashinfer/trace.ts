import { realpath } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { z } from 'zod';
import { AttnswapError } from '../../contract/errors.ts';
import { readText } from '../../files/read-bytes.ts';
import { recordReader } from '../../files/read-record.ts';
import { tamed } from '../../text/untrusted.ts';

// FlashInfer Trace, as FlashInfer-Bench records it: github.com/flashinfer-ai/flashinfer-bench, flashinfer_bench/data/{trace,workload}.py.

const inputSchema = z.union([
  z.object({ type: z.literal('random') }),
  z.object({ type: z.literal('scalar'), value: z.union([z.number(), z.boolean()]) }),
  z.object({ type: z.literal('safetensors'), path: z.string().min(1).max(4096), tensor_key: z.string().min(1).max(1000) }),
]);
const traceSchema = z.object({
  definition: z.string().min(1).max(200),
  workload: z.object({ uuid: z.string().min(1).max(100), inputs: z.record(z.string(), inputSchema) }),
});

/** A call of a kernel as it was recorded: what it was given, or how that is to be drawn. */
export interface Workload {
  readonly definition: string;
  readonly uuid: string;
  readonly inputs: Readonly<Record<string, z.output<typeof inputSchema>>>;
  /** Where it stands, for errors. */
  readonly source: string;
  /** The folder that paths of tensors are relative to, and must stay in. */
  readonly root: string;
}

const readLine = recordReader(traceSchema, {
  code: 'INVALID_DATA',
  hint: 'expected a line of FlashInfer Trace: {"definition": …, "workload": {"axes": …, "inputs": …, "uuid": …}}',
});
/** More is no trace: a workload is about 1 kB. */
const most = { bytes: 256 * 2 ** 20, hint: 'split it' };

/** The workloads of a trace, one per line of JSON. @throws FILE_UNREADABLE, INVALID_DATA */
export async function readTrace(path: string, root = rootOf(path)): Promise<Workload[]> {
  const lines = (await readText(path, most)).split('\n');
  return lines.flatMap((line, index) => {
    if (line.trim() === '') return [];
    const source = `${path}: line ${index + 1}`;
    const { definition, workload } = readLine(tamed(parsed(line, source)), source);
    return [{ definition, ...workload, source, root }];
  });
}

function parsed(line: string, source: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch (error) {
    throw new AttnswapError('INVALID_DATA', `${source}: not JSON: ${(error as Error).message}`, { cause: error });
  }
}

/** A data set's folder holds `workloads/` and `traces/`; a file elsewhere is in its own. */
function rootOf(path: string): string {
  const parts = resolve(path).split(sep);
  const at = Math.max(parts.lastIndexOf('workloads'), parts.lastIndexOf('traces'));
  return at > 0 ? parts.slice(0, at).join(sep) || sep : dirname(resolve(path));
}

/** The file of a tensor. @throws INVALID_DATA where it lies outside of the data set; FILE_UNREADABLE */
export async function tensorFile({ root, source }: Workload, path: string): Promise<string> {
  const outside = (from: string, to: string) => relative(from, to).split(sep)[0] === '..' || isAbsolute(relative(from, to));
  const file = join(root, path);
  const [realRoot, realFile] = await Promise.all([root, file].map((each) => realpath(each).catch(() => undefined)));
  if (isAbsolute(path) || outside(root, file) || (realRoot !== undefined && realFile !== undefined && outside(realRoot, realFile)))
    throw new AttnswapError('INVALID_DATA', `${source}: ${path} lies outside of ${root}`, {
      hint: 'paths are relative to the data set, whose folder --root names; of a Hugging Face cache, download with --local-dir',
    });
  return file;
}
