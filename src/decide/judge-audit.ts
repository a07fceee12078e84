import type { AuditFigure, AuditFinding, AuditPoint, AuditRound, AuditStanding, AuditVerdict } from '../contract/audit.ts';
import { median } from '../statistics/order-statistics.ts';
import { meanInterval } from '../statistics/student.ts';
import { theilSen } from '../statistics/theil-sen.ts';
import { peakNoiseBytes } from './rule.ts';
import type { LookPlan } from './sequential.ts';

/** When the rounds are judged: after three, and once more where those do not decide. A slope at the cut is then placed on a side in at most 7 % of audits. */
export function auditLooks(rounds: number): LookPlan {
  return { looks: rounds > 3 ? [3, rounds] : [rounds], tail: 0.0175 };
}

/** A time counts from this many times the overhead on: below it, the slope of the overhead is what shows. */
const overheadFactor = 3;
/**
 * How far from the slope of everything to that of what is needed the cut lies. Over the knob, a quarter: whatever else a call does keeps the time of
 * a kernel that skips from falling as far as its work, and does not make the time of one that masks fall at all. Over the length the rest grows,
 * too, and the cut is in the middle.
 */
const cuts = { knob: 0.25, length: 0.5 };
/** Two expected slopes that are nearer to each other cannot be told apart. */
const leastDifference = 0.25;
/** Fewest points of a slope. Peaks hardly vary: two tell. */
const fewestPoints = { time: 3, memory: 2 };

export interface AuditEvidence {
  readonly points: readonly AuditPoint[];
  /** The length at which the knob varies. */
  readonly length: number;
  /** The knob where the length varies; null where there is none. */
  readonly knob: number | null;
  /** One call on hardly any tokens; null where it is not known. */
  readonly overhead: Pick<AuditRound, 'latencyNs' | 'cpuNs'> | null;
  /** Whether the work is done by processors, so that their time is what it takes. */
  readonly onProcessors: boolean;
  /** One-sided error of an interval, at each end. */
  readonly tail: number;
}

export interface AuditJudgement {
  readonly findings: readonly AuditFinding[];
  readonly verdict: AuditVerdict;
  readonly exitCode: 0 | 1 | 2;
  /** Whether more rounds could add to it: work, too, is decided. */
  readonly settled: boolean;
  /** Why, as the end of a sentence about the kernel. */
  readonly reason: string;
}

/** Judges the rounds so far. Pure: the same points give the same judgment. */
export function judgeAudit(evidence: AuditEvidence): AuditJudgement {
  const { points, overhead, tail } = evidence;
  const hasCpu = points.every(({ rounds }) => rounds.every(({ cpuNs }) => cpuNs !== null));
  const judged: AuditFigure = evidence.onProcessors && hasCpu ? 'cpu-time' : 'latency';
  const series = {
    knob: points.filter(({ length, knob }) => length === evidence.length && knob !== null),
    length: points.filter(({ knob }) => knob === evidence.knob),
  };
  const times: readonly AuditFigure[] = hasCpu ? ['cpu-time', 'latency'] : ['latency'];
  const findings = (['knob', 'length'] as const)
    .filter((against) => spreads(series[against], against))
    .flatMap((against) => [
      ...times.map((figure) => timeFinding({ figure, against, points: series[against], overhead, tail, decides: figure === judged })),
      memoryFinding(series[against], against, tail),
    ]);
  return { findings, ...verdictOf(findings) };
}

/** The slopes of an attention that computes what it needs, and of one that computes everything. */
export function expectedSlopes(
  points: ReadonlyArray<Omit<AuditPoint, 'rounds'>>,
  against: AuditFinding['against'],
): NonNullable<AuditFinding['expected']> {
  const x = points.map((point) => Math.log(against === 'knob' ? point.neededWork : point.length));
  const needed = theilSen(x, logs(points.map(({ neededWork }) => neededWork))).slope;
  const everything = theilSen(x, logs(points.map(({ fullWork }) => fullWork))).slope;
  return { needed, everything, cut: everything + cuts[against] * (needed - everything) };
}

/** Whether two expected slopes are far enough apart for a measured one to lie nearer to one of them. */
export function canTell({ needed, everything }: NonNullable<AuditFinding['expected']>): boolean {
  return Math.abs(everything - needed) >= leastDifference;
}

interface Series {
  readonly figure: AuditFigure;
  readonly against: AuditFinding['against'];
  readonly points: readonly AuditPoint[];
  readonly overhead: AuditEvidence['overhead'];
  readonly tail: number;
  readonly decides: boolean;
}

function timeFinding({ figure, against, points, overhead, tail, decides }: Series): AuditFinding {
  const read = ({ cpuNs, latencyNs }: Pick<AuditRound, 'latencyNs' | 'cpuNs'>) => (figure === 'cpu-time' ? cpuNs : latencyNs);
  const least = overheadFactor * ((overhead && read(overhead)) ?? 0);
  const kept = points.filter((point) => median(valuesOf(point, read)) >= least && valuesOf(point, read).every((ns) => ns > 0));
  const about = { figure, against, decides, setAside: points.length - kept.length };
  const enough = kept.length >= fewestPoints.time && spreads(kept, against);
  const expected = expectedSlopes(enough ? kept : points, against);
  const slope = enough ? slopeOver(kept, against, read, tail) : noSlope(tail);
  if (!canTell(expected)) {
    const reason = 'by its definition, the work hardly differs from that of dense attention';
    return { ...about, ...slope, expected: null, standing: null, decides: false, reason };
  }
  if (enough) return { ...about, ...slope, expected, ...standingOf(slope, expected, ['skips', 'masks-only']) };
  const reason = `only ${kept.length} of ${points.length} points take ${overheadFactor} times the fixed overhead: use a larger --length`;
  return { ...about, ...slope, expected, standing: 'inconclusive', reason };
}

/** Over the length it is judged: n or n². Over the knob it is shown. */
function memoryFinding(points: readonly AuditPoint[], against: AuditFinding['against'], tail: number): AuditFinding {
  const read = ({ peakBytes }: AuditRound) => peakBytes;
  const kept = points.filter((point) => median(valuesOf(point, read)) >= peakNoiseBytes);
  const decides = against === 'length';
  const expected = decides ? { needed: 1, everything: 2, cut: 1.5 } : null;
  const about = { figure: 'peak-memory' as const, against, expected, decides, setAside: points.length - kept.length };
  const enough = kept.length >= fewestPoints.memory && spreads(kept, against);
  const slope = enough ? slopeOver(kept, against, read, tail) : noSlope(tail);
  if (expected === null) return { ...about, ...slope, standing: null, reason: 'shown, not judged' };
  const longest = points.reduce((a, b) => (b.length > a.length ? b : a));
  if (valuesOf(longest, read).every((bytes) => bytes < longest.length ** 2))
    return { ...about, ...slope, standing: 'linear', reason: `at ${longest.length} tokens, the peak is less than one byte per pair` };
  if (!enough) return { ...about, ...slope, standing: 'inconclusive', reason: 'peaks are too small to have a slope' };
  return { ...about, ...slope, ...standingOf(slope, expected, ['linear', 'n2']) };
}

function spreads(points: readonly AuditPoint[], against: AuditFinding['against']): boolean {
  return new Set(points.map((point) => (against === 'knob' ? point.neededWork : point.length))).size > 1;
}

type Read = (round: AuditRound) => number | null;
type Slope = Pick<AuditFinding, 'slope' | 'low' | 'high' | 'confidence'>;

/** A figure in the rounds in which it was read. */
function valuesOf({ rounds }: AuditPoint, read: Read): number[] {
  return rounds.flatMap((round) => read(round) ?? []);
}

/** Theil and Sen's slope of every round; their mean, with Student's interval over rounds. */
function slopeOver(points: readonly AuditPoint[], against: AuditFinding['against'], read: Read, tail: number): Slope {
  const x = points.map((point) => Math.log(against === 'knob' ? point.neededWork : point.length));
  const values = points.map((point) => valuesOf(point, read));
  const rounds = Math.min(...values.map(({ length }) => length));
  const slopes = Array.from({ length: rounds }, (_, round) => theilSen(x, logs(values.map((each) => each[round]!))).slope);
  const { mean, low, high } = meanInterval(slopes, tail);
  const bounded = Number.isFinite(low);
  return { slope: mean, low: bounded ? low : null, high: bounded ? high : null, confidence: 1 - 2 * tail };
}

/** The whole interval lies on one side of the cut, or the interval holds it. */
function standingOf(
  { low, high }: Slope,
  { needed, everything, cut }: NonNullable<AuditFinding['expected']>,
  [good, bad]: readonly [AuditStanding, AuditStanding],
): Pick<AuditFinding, 'standing' | 'reason'> {
  const shown = Number(cut.toFixed(2));
  if (low === null || high === null) return { standing: 'inconclusive', reason: 'one round has no interval' };
  if (low <= cut && high >= cut) return { standing: 'inconclusive', reason: `the interval includes the cut at ${shown}` };
  const standing = low > cut === needed > everything ? good : bad;
  return { standing, reason: `the interval lies ${low > cut ? 'above' : 'below'} the cut at ${shown}` };
}

function noSlope(tail: number): Slope {
  return { slope: null, low: null, high: null, confidence: 1 - 2 * tail };
}

/** Work first, then memory; what two series contradict each other about is not decided. */
function verdictOf(findings: readonly AuditFinding[]): Omit<AuditJudgement, 'findings'> {
  const deciding = findings.filter(({ decides }) => decides);
  const work = deciding.filter(({ figure }) => figure !== 'peak-memory');
  const memory = deciding.find(({ figure }) => figure === 'peak-memory')?.standing;
  const shows = (standing: AuditStanding) => work.some((finding) => finding.standing === standing);
  const squared = memory === 'n2' ? ', and its memory grows as n²' : '';
  if (shows('skips') && shows('masks-only')) {
    const reason =
      'the two series contradict each other: something other than the skipped work takes most of the time, or only part of the work is skipped';
    return memory === 'n2' ? copies(`its memory grows as n², and ${reason}`, false) : open(reason);
  }
  if (shows('masks-only'))
    return { verdict: 'masks-only', exitCode: 1, settled: true, reason: `it computes everything, whatever it attends to${squared}` };
  if (memory === 'n2' && shows('skips')) return copies('its memory grows as n², although its work does not', true);
  if (memory === 'n2') return copies('its memory grows as n²; its work is not decided', false);
  if (shows('skips') && memory !== 'inconclusive')
    return { verdict: 'skips', exitCode: 0, settled: true, reason: 'its work and its memory shrink with what it attends to' };
  const undecided = deciding.find(({ standing }) => standing === 'inconclusive');
  return open(
    undecided === undefined ? 'nothing could be judged' : `${undecided.figure} over the ${undecided.against}: ${undecided.reason}`,
  );
}

function copies(reason: string, settled: boolean): Omit<AuditJudgement, 'findings'> {
  return { verdict: 'copies-n2', exitCode: 1, settled, reason };
}

function open(reason: string): Omit<AuditJudgement, 'findings'> {
  return { verdict: 'inconclusive', exitCode: 2, settled: false, reason };
}

function logs(values: readonly number[]): number[] {
  return values.map(Math.log);
}
