import type { Tensors } from '../contract/tensor.ts';
import type { TokenBatch } from './answers.ts';
import { exitsOf } from './testbed.ts';
import type { Testbed } from './testbed.ts';

/** What an exported testbed is fed: tokens, the source that an encoder reads, and where it has exits, which positions are asked. */
export function testbedFeeds(testbed: Testbed, { items, length, tokens, targets, source }: TokenBatch): Tensors {
  const integers = (values: Int32Array, each: number) =>
    ({ type: 'int64', dims: [items, each], data: BigInt64Array.from(values, BigInt) }) as const;
  const asked = Uint8Array.from(tokens, (_token, place) => Number(targets?.[place] !== -1));
  return {
    ...(source && { source: integers(source.tokens, source.length) }),
    tokens: integers(tokens, length),
    ...(exitsOf(testbed).length > 1 && { asked: { type: 'bool', dims: [items, length], data: asked } }),
  };
}
