import { AttnswapError } from '../contract/errors.ts';
import type { BiasTensor } from '../contract/inputs.ts';
import type { CapturedAttention, SeenCall } from '../contract/model-attention.ts';
import { dtypes } from '../contract/shape.ts';
import type { Tensor, Tensors } from '../contract/tensor.ts';
import { readTensors } from '../data/tensor-files.ts';

type CapturedCall = SeenCall & { readonly module: string; readonly causal: boolean };

/** The calls whose tensors a worker wrote, `<place>.q` and so on. @throws WORKER_PROTOCOL for tensors that are not what the answer says */
export async function readCaptured(path: string, calls: readonly CapturedCall[]): Promise<CapturedAttention[]> {
  if (calls.length === 0) return [];
  const tensors = await readTensors(path);
  return calls.map((call, place) => capturedOf(tensors, `${place}.`, call));
}

function capturedOf(tensors: Tensors, prefix: string, call: CapturedCall): CapturedAttention {
  const { module, batch, heads, kvHeads, queries, keys, headDim, causal, scale } = call;
  const dtype = dtypes.find((known) => known === call.dtype);
  if (dtype === undefined) throw wrong(`${module} computes in ${call.dtype}, expected one of ${dtypes.join(', ')}`);
  const floats = (name: string, ...dims: number[]) => tensorOf(tensors, prefix + name, 'float32', dims).data as Float32Array;
  const bias = tensors[`${prefix}bias`];
  const full = [batch, heads, queries, keys];
  if (bias !== undefined && (bias.dims.length !== 4 || bias.dims.some((size, axis) => size !== 1 && size !== full[axis])))
    throw wrong(`tensor ${prefix}bias has shape [${bias.dims.join(', ')}], expected what broadcasts to [${full.join(', ')}]`);
  return {
    module,
    shape: { batch, heads, kvHeads, queries, keys, headDim, causal, dtype },
    scale,
    query: floats('q', batch, heads, queries, headDim),
    key: floats('k', batch, kvHeads, keys, headDim),
    value: floats('v', batch, kvHeads, keys, headDim),
    output: floats('o', batch, heads, queries, headDim),
    ...(call.padded && { mask: tensorOf(tensors, `${prefix}mask`, 'bool', [batch, keys]).data as Uint8Array }),
    ...(bias !== undefined && { bias: { dims: bias.dims as unknown as BiasTensor['dims'], values: bias.data as Float32Array } }),
  };
}

function tensorOf(tensors: Tensors, name: string, type: Tensor['type'], dims: readonly number[]): Tensor {
  const found = tensors[name];
  const got = found === undefined ? 'no such tensor' : `${found.type} [${found.dims.join(', ')}]`;
  const expected = `${type} [${dims.join(', ')}]`;
  if (found !== undefined && got === expected) return found;
  throw wrong(`tensor ${name}: got ${got}, expected ${expected}`);
}

function wrong(message: string): AttnswapError {
  return new AttnswapError('WORKER_PROTOCOL', `model-capture: ${message}`, { hint: 'see adapters/PROTOCOL.md' });
}
