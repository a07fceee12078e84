import { hash } from 'node:crypto';
import type { Split } from '../task.ts';

/**
 * The split that a drawn sequence belongs to, read off the sequence itself: one in eight each for test and validation. Whatever the seeds,
 * no sequence can then be in two splits, and none has to be remembered.
 */
export function splitOf(tokens: Int32Array): Split {
  const digest = hash('sha256', new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength), 'buffer');
  const eighth = digest[0]! % 8;
  if (eighth === 0) return 'test';
  return eighth === 1 ? 'validation' : 'train';
}
