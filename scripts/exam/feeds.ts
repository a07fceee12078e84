import * as ort from '../../src/processes/onnxruntime.ts';
import { encodeHalf } from '../../src/inputs/half-precision.ts';
import { Draw } from '../../tests/drawn/draw.ts';

/** What a model is fed. */
export interface Case {
  readonly batch: number;
  /** Tokens behind the past. */
  readonly length: number;
  readonly past: number;
  /** Where every sequence but the first has padding. */
  readonly padded: 'none' | 'left' | 'right';
}

/** States of an encoder where a decoder has `length` tokens. */
const statesFor = ({ past, length }: Case): number => past + length + 3;
const image = { channels: 3, side: 48 } as const;
const headDim = 12;

/** Whether a token is kept, of the last `size` of past and tokens. */
export function keptTokens({ past, length, padded }: Case, size: number): (row: number, token: number) => boolean {
  const total = past + length;
  return (row, token) => {
    const cut = padded === 'none' || row === 0 ? 0 : 1 + (row % Math.max(1, Math.floor(length / 2)));
    const place = total - size + token;
    return padded === 'right' ? place < Math.max(1, total - cut) : place >= cut;
  };
}

/** Inputs for whatever a model asks for, by the names of inputs and dimensions that exporters give. */
export function feedsFor(inputs: readonly ort.InferenceSession.ValueMetadata[], at: Case, seed: number): Record<string, ort.Tensor> {
  const crosses = inputs.some(({ name }) => name === 'encoder_hidden_states' || name.includes('encoder.key'));
  return Object.fromEntries(
    inputs.flatMap((input) => {
      if (!input.isTensor) return [];
      const dims = input.shape.map((size, axis) =>
        typeof size === 'number' && size >= 0 ? size : sizeOf(String(size), axis, at, crosses),
      );
      return [[input.name, tensor(input.type, dims, valuesOf(input, dims, at, seed))]];
    }),
  );
}

function sizeOf(name: string, axis: number, at: Case, crosses: boolean): number {
  if (/channel/.test(name)) return image.channels;
  if (/height|width/.test(name)) return image.side;
  if (/kv_cache_dim|head_dim/.test(name)) return headDim;
  if (/past.*\+|total/.test(name)) return at.past + at.length;
  if (/encoder_sequence/.test(name) && crosses) return statesFor(at);
  if (/past|sliding/.test(name)) return at.past;
  if (/batch/.test(name) || (axis === 0 && !/sequence/.test(name))) return at.batch;
  // A decoder beside its encoder, in one file, has fewer tokens.
  return /decoder_sequence/.test(name) && !crosses ? Math.ceil(at.length / 2) : at.length;
}

function valuesOf({ name, type }: { readonly name: string; readonly type: string }, dims: readonly number[], at: Case, seed: number) {
  const draw = new Draw(seed, name);
  const columns = dims.at(-1) ?? 1;
  const kept = keptTokens(at, columns);
  if (name === 'use_cache_branch') return () => Number(at.past > 0);
  if (/encoder_attention_mask/.test(name))
    return (place: number) => Number(at.padded === 'none' || place % columns < columns - (Math.floor(place / columns) % 3));
  if (/mask/.test(name)) return (place: number) => Number(kept(Math.floor(place / columns), place % columns));
  if (/position/.test(name)) return (place: number) => at.past + (place % columns);
  if (/token_type/.test(name)) return () => 0;
  return type.startsWith('float') ? () => draw.normals(1)[0]! : () => draw.whole(3, 100);
}

function tensor(type: string, dims: readonly number[], value: (place: number) => number): ort.Tensor {
  const values = Array.from({ length: dims.reduce((product, size) => product * size, 1) }, (_, place) => value(place));
  if (type === 'int64') return new ort.Tensor('int64', BigInt64Array.from(values, BigInt), dims);
  if (type === 'int32') return new ort.Tensor('int32', Int32Array.from(values), dims);
  if (type === 'bool') return new ort.Tensor('bool', Uint8Array.from(values), dims);
  if (type === 'float16') return new ort.Tensor('float16', Uint16Array.from(values, encodeHalf), dims);
  return new ort.Tensor('float32', Float32Array.from(values), dims);
}
