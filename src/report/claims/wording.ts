import type { ClaimDefinition, ClaimFigure, ClaimStanding, ClaimUnit, ClaimVerdict, JudgedClaim } from '../../contract/claims.ts';
import { digits, factor } from '../../text/figures.ts';
import type { Standing } from '../document.ts';

const unitText: Readonly<Record<ClaimUnit, (value: number) => string>> = {
  share: (value) => `${digits(100 * value)} %`,
  factor,
  points: digits,
  cycles: digits,
};

/** `22.1 % [20.4, 23.9]`; of a figure without noise, or of one measurement, without an interval. */
export function claimFigureText({ value, low, high }: Pick<ClaimFigure, 'value' | 'low' | 'high'>, unit: ClaimUnit): string {
  const text = unitText[unit](value);
  return low === null || high === null || low === high ? text : `${text} [${bare(low, unit)}, ${bare(high, unit)}]`;
}

/** Without its unit, which the figure before it has. */
function bare(value: number, unit: ClaimUnit): string {
  return unitText[unit](value).replace(/ %$|×$/, '');
}

/** `at least 60 %`. */
export function boundText({ bound: { side, value }, unit }: Pick<JudgedClaim, 'bound' | 'unit'>): string {
  return `at ${side} ${unitText[unit](value)}`;
}

export const standingWords: Readonly<Record<ClaimStanding, string>> = {
  holds: 'holds',
  'does-not-hold': 'does not hold',
  undecided: 'undecided',
};

export const claimVerdictWords: Readonly<Record<ClaimVerdict, string>> = {
  ...standingWords,
  'holds-otherwise': 'holds otherwise',
  'not-measured': 'not measured',
};

/** How a verdict reads at a glance. */
export const claimStandings: Readonly<Record<ClaimVerdict, Standing>> = {
  holds: 'good',
  'holds-otherwise': 'unsure',
  'does-not-hold': 'bad',
  undecided: 'unsure',
  'not-measured': 'plain',
};

/** The definition that a verdict rests on; undefined where none was measured. */
export function decidingDefinition({
  definitions,
  decidedBy,
}: Pick<JudgedClaim, 'definitions' | 'decidedBy'>): ClaimDefinition | undefined {
  return definitions.find(({ name }) => name === decidedBy);
}
