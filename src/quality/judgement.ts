/** What can be said of quality; the words of a comparison's outcome. */
export const qualityOutcomes = ['pass', 'regression', 'inconclusive'] as const;
export type QualityOutcome = (typeof qualityOutcomes)[number];

export interface QualityJudgement {
  /** `pass`: shown not to be worse than the margin or limit. `regression`: shown to be worse. `inconclusive`: neither. */
  readonly outcome: QualityOutcome;
  /** One sentence with the numbers that decided it. */
  readonly reason: string;
  /** What was lost, as measured, in margins: 1 is all that is allowed, below 0 a gain. Infinity where the margin is 0 or outputs are faulty. */
  readonly marginsLost: number;
  /** The most that was lost, by the interval's worse end; of paired scores alone. */
  readonly marginsAtMost?: number | undefined;
}

/** The worse, the higher. */
export const severity: Readonly<Record<QualityOutcome, number>> = { pass: 0, inconclusive: 1, regression: 2 };

/** Judgements of several parts as one, by the names of the parts: all must pass, and the worst decides. What was not judged is left out. */
export function combined(parts: Readonly<Record<string, QualityJudgement | null | undefined>>): QualityJudgement {
  const judged = Object.entries(parts).flatMap(([name, judgement]) => (judgement ? [{ name, ...judgement }] : []));
  const worst = judged.reduce((a, b) => (severity[b.outcome] > severity[a.outcome] ? b : a));
  const told = [worst, ...judged.filter((part) => part !== worst)].map(({ name, reason }) =>
    judged.length === 1 ? reason : `${name}: ${reason}`,
  );
  const most = judged.some(({ marginsAtMost }) => marginsAtMost !== undefined) && {
    marginsAtMost: Math.max(...judged.map(({ marginsLost, marginsAtMost }) => marginsAtMost ?? marginsLost)),
  };
  return {
    outcome: worst.outcome,
    reason: told.join('; '),
    marginsLost: Math.max(...judged.map(({ marginsLost }) => marginsLost)),
    ...most,
  };
}

/** Three digits, with a proper minus. */
export function figureText(value: number): string {
  if (!Number.isFinite(value)) return value > 0 ? '∞' : value < 0 ? '−∞' : 'NaN';
  const rounded = Number(value.toPrecision(3));
  const small = rounded !== 0 && Math.abs(rounded) < 1e-4;
  return (small ? rounded.toExponential() : String(rounded)).replace(/^-/, '−');
}

/** `24 items`; of those that were enough, `24 of 156 items`. */
export function itemsText({ items, of = items }: { readonly items: number; readonly of?: number | undefined }): string {
  return `${items < of ? `${items} of ` : ''}${of} item${of === 1 ? '' : 's'}`;
}

/** `512 tokens`, or `128, 256 and 512 tokens`. */
export function tokensText(lengths: readonly number[]): string {
  const sorted = [...new Set(lengths)].sort((a, b) => a - b).map(String);
  return `${sorted.length < 2 ? sorted.join('') : `${sorted.slice(0, -1).join(', ')} and ${sorted.at(-1)}`} tokens`;
}
