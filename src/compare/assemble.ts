import { verdictSchemaName } from '../contract/verdict.ts';
import type { Comparison, Verdict } from '../contract/verdict.ts';
import { overall } from '../decide/overall.ts';

export type VerdictHead = Pick<Verdict, 'tool' | 'kind' | 'name' | 'command' | 'startedAt' | 'host' | 'base' | 'seed' | 'warnings'>;

/** The whole verdict from its comparisons. */
export function assemble(head: VerdictHead, comparisons: readonly Comparison[]): Verdict {
  return { schema: verdictSchemaName, ...head, endedAt: new Date().toISOString(), ...overall(comparisons), comparisons };
}
