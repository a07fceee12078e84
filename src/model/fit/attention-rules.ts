import { derivedSize, fixedSize, sumOf } from './size.ts';
import type { Size } from './size.ts';
import { axisIn } from './size-reading.ts';
import type { SizeReading, SizeRule } from './size-reading.ts';
import { unknownTensor } from './tensor-sizes.ts';
import type { Axes, TensorSizes } from './tensor-sizes.ts';

/** Operators that are attention, or part of it. */
export const attentionRules: ReadonlyArray<readonly [string, SizeRule]> = [
  ['RotaryEmbedding', rotated],
  ['Attention', attention],
  ['TensorScatter', scattered],
  ['com.microsoft/GroupQueryAttention', grouped],
  ['com.microsoft/MultiHeadAttention', multiHead],
  ['com.microsoft/DecoderMaskedMultiHeadAttention', decoderMasked],
  ['com.microsoft/Attention', packedAttention],
];

/** The standard operator wants caches of the batch's own size where no positions pick their rows. */
function rotated(reading: SizeReading): TensorSizes {
  const { axes } = reading.first;
  const cache = reading.axesOf(1);
  if (axes !== undefined && cache?.length === 3) {
    reading.requireSame(axes[0], cache[0]);
    reading.requireSame(axes.length === 4 ? axes[2] : axes[1], cache[1]);
  }
  return { axes };
}

function attention(reading: SizeReading): TensorSizes[] {
  const [query, key, value] = [reading.axesOf(0), reading.axesOf(1), reading.axesOf(2)];
  const [pastKey, pastValue] = [reading.axesOf(4), reading.axesOf(5)];
  if (query === undefined) return [];
  if (query.length !== 4) return [{ axes: [...query.slice(0, 2), undefined] }];
  const present = (now: Axes | undefined, past: Axes | undefined): TensorSizes =>
    now?.length === 4 && past !== undefined ? { axes: withPast(reading, now, past) } : { axes: now };
  return [{ axes: [...query.slice(0, 3), value?.[3]] }, present(key, pastKey), present(value, pastValue)];
}

function withPast(reading: SizeReading, now: Axes, past: Axes): Axes {
  for (const axis of [0, 1, 3]) reading.requireSame(past[axis], now[axis]);
  return now.with(2, sumOf([past[2], now[2]]));
}

/** A buffer into which tokens are written, from its beginning on where the model's inputs say where. */
function scattered(reading: SizeReading): TensorSizes {
  const [buffer, added] = [reading.first.axes, reading.axesOf(1)];
  reading.picks(reading.inputs[2] ?? unknownTensor, fixedSize(1));
  if (buffer === undefined || added === undefined) return unknownTensor;
  const along = axisIn(buffer, reading.integer('axis', -2));
  for (const [axis, size] of buffer.entries()) {
    const room = derivedSize([size, added[axis]], (stored, own) => Math.max(stored!, own!));
    reading.requireSame(size, axis === along ? room : added[axis]);
  }
  return { axes: buffer };
}

function grouped(reading: SizeReading): TensorSizes[] {
  const query = reading.first.axes;
  const [key, past] = [reading.axesOf(1), reading.axesOf(3)];
  const [heads, shared] = [reading.integer('num_heads', 1), reading.integer('kv_num_heads', 1)];
  if (query?.length !== 3) return [];
  const isPacked = (reading.node.input[1] ?? '') === '';
  const headDim = derivedSize([query[2]], (width) => width! / (isPacked ? heads + 2 * shared : heads));
  const width = derivedSize([headDim], (each) => each! * heads);
  if (!isPacked)
    reading.requireSame(
      key?.at(-1),
      derivedSize([headDim], (each) => each! * shared),
    );
  if (past === undefined) return [{ axes: [query[0], query[1], width] }];
  for (const [axis, size] of [query[0], fixedSize(shared), undefined, headDim].entries()) reading.requireSame(past[axis], size);
  // A cache that is turned round within a window holds one at least.
  const window = reading.integer('sliding_window_cache', 0) === 1 ? reading.integer('local_window_size', 0) : 0;
  reading.requireSame(
    past[2],
    derivedSize([past[2]], (rows) => Math.max(rows!, window)),
  );
  const present = { axes: [query[0], fixedSize(shared), undefined, headDim] };
  return [{ axes: [query[0], query[1], width] }, present, present];
}

function multiHead(reading: SizeReading): TensorSizes[] {
  const [query, past] = [reading.first.axes, reading.axesOf(6)];
  if (query === undefined) return [];
  const heads = fixedSize(reading.integer('num_heads', 1));
  const [batch, length] = query;
  const width = query.length === 3 ? query[2] : derivedSize([heads, query.at(-1)], (count, each) => count! * each!);
  const headDim = derivedSize([width, heads], (all, count) => all! / count!);
  const value = reading.axesOf(2);
  if (past !== undefined) for (const [axis, size] of [batch, heads, undefined, headDim].entries()) reading.requireSame(past[axis], size);
  return [{ axes: [batch, length, value?.length === 3 ? value[2] : width] }];
}

/** One token, behind buffers or over keys and values of four axes. */
function decoderMasked(reading: SizeReading): TensorSizes[] {
  const [query, key, past] = [reading.first.axes, reading.axesOf(1), reading.axesOf(5)];
  if (query?.length !== 3) return [];
  reading.requireSame(query[1], fixedSize(1));
  const heads = reading.integer('num_heads', 1);
  const cached = past ?? key;
  const headDim = derivedSize([query[2]], (width) => width! / heads);
  if (cached?.length === 4)
    for (const [axis, size] of [query[0], fixedSize(heads), undefined, headDim].entries()) reading.requireSame(cached[axis], size);
  // ONNX Runtime 1.30 takes no tokens before for a full buffer.
  const room = reading.requireSome(past?.[2]);
  const count = reading.inputs[7] ?? unknownTensor;
  if (room !== undefined) reading.picks(count, fixedSize(room.value));
  if (count.numbers !== undefined) reading.positive.add(count.numbers.input);
  return [{ axes: query }, { axes: past }, { axes: past }];
}

/** com.microsoft's Attention projects inside. */
function packedAttention(reading: SizeReading): TensorSizes[] {
  const [input, weights, past] = [reading.first.axes, reading.axesOf(1), reading.axesOf(4)];
  if (input?.length !== 3) return [unknownTensor];
  reading.requireSame(input[2], weights?.[0]);
  const sizes = reading.integers('qkv_hidden_sizes');
  const width: Size | undefined = sizes === undefined ? derivedSize([weights?.[1]], (all) => all! / 3) : fixedSize(sizes[2]!);
  const heads = fixedSize(reading.integer('num_heads', 1));
  if (past?.length === 5) for (const [axis, size] of [fixedSize(2), input[0], heads].entries()) reading.requireSame(past[axis], size);
  return [{ axes: [input[0], input[1], width] }];
}
