import { AttnswapError } from '../contract/errors.ts';
import type { Comparison } from '../contract/verdict.ts';
import { withinPeakNoise } from '../decide/rule.ts';
import { tokensText } from '../quality/judgement.ts';
import type { QualityJudgement } from '../quality/judgement.ts';

/** What to do with a candidate. */
export const migrationVerdicts = ['adopt', 'tune-first', 'reject'] as const;
export type MigrationVerdict = (typeof migrationVerdicts)[number];

/** A verdict in a sentence's words. */
export const verdictWords: Readonly<Record<MigrationVerdict, string>> = {
  adopt: 'adopt',
  'tune-first': 'tune first',
  reject: 'keep the model as it is',
};

/** A verdict in a cell of a table. */
export const verdictCells: typeof verdictWords = { ...verdictWords, reject: 'keep as is' };

/** What a decoder is run for: a prompt in one call, or one token behind a cache. */
export const uses = ['prefill', 'decode'] as const;
export type Use = (typeof uses)[number];

/** A latency or memory comparison of the model's two arms at one length. */
export interface ComparisonAtLength {
  /** Tokens of the call; of decoding, tokens in the cache. */
  readonly length: number;
  readonly comparison: Comparison;
  /** Of a decoder with a cache, which of its uses was compared. */
  readonly use?: Use;
}

/** What was shown of one use of a decoder. */
export const useFindings = ['better', 'worse', 'mixed', 'no-gain'] as const;
export type UseFinding = (typeof useFindings)[number];

/** A finding in a sentence's words. */
export const findingWords: Readonly<Record<UseFinding, string>> = {
  better: 'better',
  worse: 'worse',
  mixed: 'better in one respect, worse in another',
  'no-gain': 'no gain shown',
};

export interface CandidateEvidence {
  readonly candidate: string;
  readonly latency: readonly ComparisonAtLength[];
  readonly memory: readonly ComparisonAtLength[];
  /** Lengths that decide; every compared one where empty. */
  readonly wantedLengths: readonly number[];
  /** From `judgePaired`, or from `judgeDrift` where there is no task; null where quality was not judged. */
  readonly quality: QualityJudgement | null;
  /** Arms that failed, in words; any rejects the candidate. */
  readonly failures?: readonly string[];
}

export interface MigrationDecision {
  readonly candidate: string;
  readonly verdict: MigrationVerdict;
  /** Sentences with the numbers, those that decided first. */
  readonly reasons: readonly string[];
  /** Ids of comparisons, and `quality`, that the verdict rests on. */
  readonly decidedBy: readonly string[];
  /** What latency and memory show of each use; of a decoder with a cache alone. */
  readonly uses?: Readonly<Record<Use, UseFinding>>;
}

/** A quality loss up to as many margins is worth tuning. */
export const tunableMargins = 5;

/**
 * Whether to migrate to a candidate. What counts is latency and memory at the wanted lengths, by comparisons that decide; a **gain** is
 * an `improvement`, a **setback** a `regression`. The first rule that holds is the verdict:
 * 1. **reject**: an arm failed, or a comparison ended in an `error`;
 * 2. **reject**: no gain is shown;
 * 3. **reject**: quality is a regression, and the measured loss exceeds 5 margins (faulty outputs lose without measure);
 * 4. **tune first**: there is a gain, but quality is not shown to hold: a regression of up to 5 margins, inconclusive, or not judged;
 * 5. **tune first**: there is a gain and quality holds, but there is a setback as well, or a comparison whose host stayed busy;
 * 6. **adopt**: quality is shown not to be worse than the margin, there is a gain, and no setback.
 * A comparison that is otherwise inconclusive, refused or incomplete is neither gain nor setback, and is told. A gain at a length that is not wanted is
 * told, and does not count. Both uses of a decoder count alike: a gain in one does not outweigh a setback in the other.
 * @throws INVALID_MIGRATION where a wanted length was not compared, or nothing was
 */
export function decideMigration(evidence: CandidateEvidence): MigrationDecision {
  const all = [...evidence.latency, ...evidence.memory];
  const { wantedLengths, candidate, quality, failures = [] } = evidence;
  const errors = all.filter(({ comparison }) => comparison.outcome === 'error');
  if (failures.length > 0 || errors.length > 0) {
    const reasons = [...failures.map((failure) => `An arm failed: ${failure}.`), ...errors.map(sentence)];
    return { candidate, verdict: 'reject', reasons, decidedBy: errors.map(({ comparison }) => comparison.id) };
  }
  checkLengths(evidence, all);
  const wanted = all.filter(
    ({ length, comparison }) => comparison.decides && (wantedLengths.length === 0 || wantedLengths.includes(length)),
  );
  const sorted = {
    gains: wanted.filter(({ comparison }) => comparison.outcome === 'improvement'),
    setbacks: wanted.filter(({ comparison }) => comparison.outcome === 'regression'),
    unmeasured: wanted.filter(({ comparison }) => comparison.busy === true),
    others: wanted.filter(
      ({ comparison }) => comparison.outcome !== 'improvement' && comparison.outcome !== 'regression' && comparison.busy !== true,
    ),
    beside: all.filter((found) => !wanted.includes(found) && found.comparison.outcome === 'improvement'),
  };
  const byUse = wanted.some(({ use }) => use !== undefined) && {
    uses: { prefill: findingOf('prefill', sorted), decode: findingOf('decode', sorted) },
  };
  return { candidate, ...judge(sorted, quality), ...byUse };
}

function findingOf(wanted: Use, { gains, setbacks }: Sorted): UseFinding {
  const [gain, setback] = [gains, setbacks].map((group) => group.some(({ use }) => use === wanted));
  if (gain && setback) return 'mixed';
  return gain ? 'better' : setback ? 'worse' : 'no-gain';
}

type Group = readonly ComparisonAtLength[];
interface Sorted {
  readonly gains: Group;
  readonly setbacks: Group;
  /** On a busy host: whether there is a setback is not known. */
  readonly unmeasured: Group;
  readonly others: Group;
  readonly beside: Group;
}

function judge(sorted: Sorted, quality: QualityJudgement | null): Omit<MigrationDecision, 'candidate'> {
  const { gains, others, beside } = sorted;
  // What may be one hinders as one.
  const setbacks = [...sorted.setbacks, ...sorted.unmeasured];
  const told = (groups: readonly Group[]) => groups.flat().map(sentence);
  const asides = beside.map((found) => `${sentence(found).slice(0, -1)} (informational: not a deciding length).`);
  const ids = (...groups: readonly Group[]) => groups.flat().map(({ comparison }) => comparison.id);
  const lost = qualitySentence(quality);
  if (gains.length === 0) {
    const lengths = new Set([...setbacks, ...others].map(({ length }) => length));
    const at = lengths.size === 0 ? '' : ` at ${tokensText([...lengths])}`;
    const reasons = [`No gain in latency or memory is shown${at}.`, ...told([setbacks, others]), lost, ...asides];
    return { verdict: 'reject', reasons, decidedBy: ids(setbacks, others) };
  }
  if (quality?.outcome === 'regression' && !(quality.marginsLost <= tunableMargins)) {
    const reasons = [
      `${lost} Tuning is not expected to recover a loss of more than ${tunableMargins} margins.`,
      ...told([gains, setbacks, others]),
      ...asides,
    ];
    return { verdict: 'reject', reasons, decidedBy: ['quality'] };
  }
  if (quality?.outcome !== 'pass') {
    return {
      verdict: 'tune-first',
      reasons: [lost, ...told([gains, setbacks, others]), ...asides],
      decidedBy: ['quality', ...ids(gains, setbacks)],
    };
  }
  if (setbacks.length > 0) {
    return {
      verdict: 'tune-first',
      reasons: [...told([setbacks, gains]), lost, ...told([others]), ...asides],
      decidedBy: ids(setbacks, gains),
    };
  }
  return { verdict: 'adopt', reasons: [...told([gains]), lost, ...told([others]), ...asides], decidedBy: [...ids(gains), 'quality'] };
}

const useWords: Readonly<Record<Use, (metric: string, tokens: number) => string>> = {
  prefill: (metric, tokens) => `Prefill ${metric} at ${tokens} tokens`,
  decode: (metric, tokens) => `Decode ${metric} with ${tokens} cached tokens`,
};

const metricWords: Readonly<Partial<Record<Comparison['metric'], string>>> = { latency: 'Latency', 'peak-memory': 'Peak memory' };

/** `Latency at 512 tokens: −20.0 % (−21.0 % to −19.0 %), improvement over 8 blocks.`; where that does not say it all, why. */
function sentence({ length, comparison, use }: ComparisonAtLength): string {
  const { metric, outcome, effect, reason, blocks } = comparison;
  const named = metricWords[metric] ?? metric;
  const what = `${use === undefined ? `${named} at ${length} tokens` : useWords[use](named.toLowerCase(), length)}:`;
  if (comparison.busy === true) return `${what} not measured, ${reason}.`;
  if (withinPeakNoise(comparison)) return `${what} less than 1 MiB apart, which is noise.`;
  if (effect === null) return `${what} ${outcome}, ${reason}.`;
  const change = `${percent(effect.estimate)} (${percent(effect.low)} to ${percent(effect.high)})`;
  const why = outcome === 'inconclusive' ? `: ${reason}` : '';
  return `${what} ${change}, ${outcome} over ${blocks.length} block${blocks.length === 1 ? '' : 's'}${why}.`;
}

function qualitySentence(quality: QualityJudgement | null): string {
  if (quality === null) return 'Quality was not judged.';
  const words = { pass: 'holds', regression: 'is lost', inconclusive: 'is not shown to hold' }[quality.outcome];
  return `Quality ${words}${lossText(quality.marginsLost)}: ${quality.reason}.`;
}

/** What was measured, beside what is allowed. */
function lossText(margins: number): string {
  if (!Number.isFinite(margins)) return '';
  if (margins <= 0) return ' (no loss measured)';
  if (margins > 1) return ` (${Number(margins.toPrecision(2))} times the allowed loss)`;
  return margins < 0.01 ? ' (less than 1 % of the allowed loss)' : ` (${Number((100 * margins).toPrecision(2))} % of the allowed loss)`;
}

function percent(share: number): string {
  return `${share > 0 ? '+' : share < 0 ? '−' : ''}${Math.abs(100 * share).toFixed(1)} %`;
}

function checkLengths({ candidate, wantedLengths }: CandidateEvidence, all: Group): void {
  const missing = wantedLengths.find((wanted) => !all.some(({ length }) => length === wanted));
  if (missing === undefined && all.length > 0) return;
  const what = missing === undefined ? 'neither latency nor memory was compared' : `nothing was compared at ${missing} tokens`;
  throw new AttnswapError('INVALID_MIGRATION', `candidate ${candidate}: ${what}`, {
    hint: 'compare latency or memory at every wanted length',
  });
}
