import { shellCommand } from '../verdict/markdown-text.ts';
import { remark } from './console.ts';
import type { CommonFlags } from './console.ts';

/** The command that goes on from here, as a remark. */
export function suggest(words: readonly string[], flags: CommonFlags): void {
  remark(`next: attnswap ${shellCommand(words)}`, flags);
}
