import type { AuditFigure, AuditFinding, AuditRecord, AuditStanding, AuditVerdict } from '../../contract/audit.ts';
import { oneLine } from '../../text/untrusted.ts';
import type { Standing } from '../document.ts';

const verdictNames: Readonly<Record<AuditVerdict, string>> = {
  skips: 'skips',
  'masks-only': 'masks only',
  'copies-n2': 'copies n²',
  inconclusive: 'inconclusive',
};

export const standingNames: Readonly<Record<AuditStanding, string>> = {
  skips: 'skips',
  'masks-only': 'masks only',
  linear: 'no n²',
  n2: 'n²',
  inconclusive: 'inconclusive',
};

export const figureNames: Readonly<Record<AuditFigure, string>> = {
  'cpu-time': 'CPU time',
  latency: 'latency',
  'peak-memory': 'peak memory',
};

/** How a verdict, or a standing, reads at a glance. */
export const standings: Readonly<Record<AuditVerdict | AuditStanding, Standing>> = {
  skips: 'good',
  linear: 'good',
  'masks-only': 'bad',
  'copies-n2': 'bad',
  n2: 'bad',
  inconclusive: 'unsure',
};

/** The verdict in words, with the other fault where there are two. */
export function verdictText({ verdict, findings }: AuditRecord): string {
  const both = verdict === 'masks-only' && findings.some(({ standing, decides }) => decides && standing === 'n2');
  return both ? `${verdictNames[verdict]}, ${verdictNames['copies-n2']}` : verdictNames[verdict];
}

/** Over what: `w, at 4096 tokens`. */
export function againstText({ against }: AuditFinding, { knob, length }: AuditRecord): string {
  if (against === 'knob') return `work needed by ${knob === null ? 'the knob' : oneLine(knob.name)}, at ${length} tokens`;
  return knob === null ? 'length' : `length, at ${oneLine(knob.name)} = ${knob.value}`;
}

/** `0.93 [0.90, 0.96]`; why there is none. */
export function slopeText({ slope, low, high }: AuditFinding): string {
  if (slope === null) return '–';
  return low === null || high === null ? figure(slope) : `${figure(slope)} [${figure(low)}, ${figure(high)}]`;
}

/** What the slope would be: `1 (skips) or 0 (masks only)`. */
export function expectedText({ figure: of, expected }: AuditFinding): string {
  if (expected === null) return '–';
  const [good, bad] = of === 'peak-memory' ? (['n', 'n²'] as const) : (['skips', 'masks only'] as const);
  return `${figure(expected.needed)} (${good}) or ${figure(expected.everything)} (${bad})`;
}

function figure(value: number): string {
  return String(Number(value.toFixed(2))).replace('-', '−');
}
