import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AttnswapError } from '../../src/contract/errors.ts';
import { readCapturedInputs } from '../../src/inputs/captured.ts';
import { writeSafetensors } from '../../src/inputs/safetensors.ts';
import { captureTrace } from '../../src/operations/capture-trace.ts';
import { damagedBytes, damagedDocument, pick } from './damage.ts';
import type { Reader } from './endure.ts';

type Bytes = Uint8Array;
const [tensors, trace] = ['tensors.safetensors', 'calls.jsonl'];

/** A FlashInfer trace with the tensors that it names, in its own folder. */
export async function traceReader(root: string): Promise<Reader> {
  const f32 = (...shape: number[]) => {
    const size = shape.reduce((product, each) => product * each, 1);
    return { dtype: 'F32', shape, data: Float32Array.from({ length: size }, (_, at) => at / 7) } as const;
  };
  const i32 = (...values: number[]) => ({ dtype: 'I32', shape: [values.length], data: Int32Array.from(values) }) as const;
  const named = {
    q: f32(5, 4, 3),
    k: f32(7, 2, 3),
    v: f32(7, 2, 3),
    k_cache: f32(4, 2, 2, 3),
    v_cache: f32(4, 2, 2, 3),
    qo_indptr: i32(0, 2, 5),
    kv_indptr: i32(0, 4, 7),
    page_indptr: i32(0, 2, 2, 3),
    kv_indices: i32(3, 0, 1),
    kv_last_page_len: i32(1, 1, 2),
  };
  await writeSafetensors(join(root, tensors), named);
  const dumped = (tensor_key: string) => ({ type: 'safetensors', path: tensors, tensor_key });
  const lines = [
    { definition: 'gqa_ragged_prefill_causal_h4_kv2_d3', names: ['q', 'k', 'v', 'qo_indptr', 'kv_indptr'] },
    { definition: 'gqa_paged_decode_h4_kv2_d3_ps2', names: ['q', 'k_cache', 'v_cache', 'kv_indices', 'kv_last_page_len'] },
  ].map(({ definition, names }, at) => {
    const inputs = Object.fromEntries(names.map((name) => [name, dumped(name)]));
    const offsets = at === 1 ? { kv_indptr: dumped('page_indptr'), sm_scale: { type: 'scalar', value: 0.5 } } : {};
    return Buffer.from(JSON.stringify({ definition, workload: { axes: {}, inputs: { ...inputs, ...offsets }, uuid: `0-${at}` } }));
  });
  const files = new Map<string, Bytes>([
    [tensors, await readFile(join(root, tensors))],
    [trace, Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')]))],
  ]);
  return {
    name: 'trace',
    share: 8,
    whole: [[trace, files.get(trace)!]],
    damaged(draw) {
      if (draw(2) === 0) return [tensors, damagedBytes(files.get(tensors)!, draw)];
      if (draw(2) === 0) return [trace, damagedBytes(files.get(trace)!, draw)];
      return [trace, damagedDocument(pick(lines, draw))(draw)];
    },
    async read(damaged) {
      for (const [name, bytes] of new Map([...files, damaged])) await writeFile(join(root, name), bytes);
      const out = join(root, 'captured');
      try {
        const captured = await captureTrace({ trace: join(root, trace), out });
        for (const file of captured.files) if (!(await isWhole(file))) return `${file} is not what its shape says`;
        return undefined;
      } finally {
        await rm(out, { recursive: true, force: true });
      }
    },
  } satisfies Reader<[name: string, bytes: Bytes]> as Reader;
}

/** Values of a tensor have no checksum: what was captured is read, or refused as inputs that cannot be. */
async function isWhole(file: string): Promise<boolean> {
  try {
    const { inputs } = await readCapturedInputs(file, { dtype: 'f32' });
    const { batch, heads, queries, headDim } = inputs.shape;
    return inputs.query.length === batch * heads * queries * headDim;
  } catch (error) {
    if (error instanceof AttnswapError) return true;
    throw error;
  }
}
