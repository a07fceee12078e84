import type { Assumption } from './site.ts';

/** An assumption as it is written on the command line. */
export function assumptionText({ mask, input }: Assumption): string {
  return `mask=${mask}${input === undefined ? '' : `:${input}`}`;
}
