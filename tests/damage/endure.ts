import { AttnswapError } from '../../src/contract/errors.ts';
import { drawsOf } from './damage.ts';
import type { Draw } from './damage.ts';

/** Something that reads what others wrote. */
export interface Reader<Input = unknown> {
  readonly name: string;
  /** Its share of all inputs: what is read fast is read more often. */
  readonly share: number;
  /** What it must read. */
  readonly whole: readonly Input[];
  damaged(draw: Draw): Input;
  /** What is wrong with what was read, in words; undefined where nothing is. @throws AttnswapError for what it refuses */
  read(input: Input): Promise<string | undefined>;
}

export const outcomes = ['read', 'refused', 'different', 'foreign', 'late'] as const;
export type Outcome = (typeof outcomes)[number];

export interface Verdict {
  readonly outcome: Outcome;
  /** What went wrong, in words. */
  readonly problem?: string;
}

/** Longest that one input may take, milliseconds: a hundred times what any takes on a busy machine. */
export const patienceMs = 10_000;

/** Reads one damaged input, by its number. */
export async function endure(reader: Reader, seed: number, index: number): Promise<Verdict> {
  const input = reader.damaged(drawsOf(seed, `${reader.name}/${index}`));
  const begun = performance.now();
  const verdict = await judge(reader, input);
  const ms = performance.now() - begun;
  return ms <= patienceMs ? verdict : { outcome: 'late', problem: `took ${Math.round(ms)} ms` };
}

export async function judge<Input>(reader: Reader<Input>, input: Input): Promise<Verdict> {
  try {
    const problem = await reader.read(input);
    return problem === undefined ? { outcome: 'read' } : { outcome: 'different', problem };
  } catch (error) {
    if (error instanceof AttnswapError && error.message.length < 5000) return { outcome: 'refused' };
    return { outcome: 'foreign', problem: error instanceof Error ? (error.stack ?? error.message).slice(0, 600) : String(typeof error) };
  }
}
