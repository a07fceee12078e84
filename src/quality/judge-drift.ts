import { AttnswapError } from '../contract/errors.ts';
import type { DriftSummary, OutputDriftSummary } from './drift-summary.ts';
import type { ItemMean } from './item-mean.ts';
import { figureText, itemsText, severity } from './judgement.ts';
import type { QualityJudgement, QualityOutcome } from './judgement.ts';

/** The most drift that passes; what is absent is not asked. All are distances: 0 is no drift. */
export interface DriftLimits {
  /** Of the mean relative error. */
  readonly relativeError?: number;
  /** Of the mean 1 − cosine. */
  readonly cosineDistance?: number;
  /** Of 1 − the pooled 5th percentile of the cosine; judged without interval. */
  readonly cosineDistanceFifth?: number;
  /** Of the mean KL, nats. */
  readonly divergence?: number;
  /** Of 1 − top-1 agreement. */
  readonly disagreement?: number;
}

interface Figure {
  readonly name: string;
  readonly limit: number;
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/**
 * Judges drift by limits: passes where the upper end of every figure's interval is within its limit, or all outputs are identical; a
 * regression where the lower end of any is beyond. A fault is a regression without measure. Figures that an output does not have are not asked of it.
 * @throws INVALID_DATA where no limit applies to any output, or one is not a number from 0 on
 */
export function judgeDrift(summary: DriftSummary, limits: DriftLimits): QualityJudgement {
  for (const [name, limit] of Object.entries(limits)) {
    if (!(limit >= 0)) throw new AttnswapError('INVALID_DATA', `drift limit ${name}: got ${limit}, expected a number ≥ 0`);
  }
  if (summary.state === 'fault') {
    const { reasons, items, of = items } = summary;
    const said = items < of ? `after ${itemsText(summary)}, one is faulty` : `${reasons.length} of ${items} items are faulty`;
    return { outcome: 'regression', reason: `${said}: ${reasons[0]}`, marginsLost: Infinity };
  }
  const figures = summary.outputs.flatMap((output) => figuresOf(output, limits));
  if (figures.length === 0) throw noLimit(summary.outputs);
  if (summary.outputs.every(({ identical }) => identical)) {
    return { outcome: 'pass', reason: `all outputs of ${summary.items} items are identical`, marginsLost: 0 };
  }
  const judged = figures.map((figure) => ({ figure, outcome: outcomeOf(figure), lost: marginsLost(figure) }));
  const worst = judged.reduce((a, b) => ((severity[b.outcome] - severity[a.outcome] || b.lost - a.lost) > 0 ? b : a));
  const { items, of = items } = summary;
  const said = reasonOf(worst.figure, worst.outcome);
  return {
    outcome: worst.outcome,
    reason: items < of ? `${said}, shown by ${itemsText(summary)}` : said,
    marginsLost: Math.max(...judged.map(({ lost }) => lost)),
  };
}

function figuresOf(summary: OutputDriftSummary, limits: DriftLimits): Figure[] {
  const { output, relativeError, cosineDistance, cosineFifthPercentile, divergence, agreement } = summary;
  const fifth = cosineFifthPercentile === null ? null : 1 - cosineFifthPercentile;
  const rows: ReadonlyArray<readonly [string, number | undefined, Omit<Figure, 'name' | 'limit'> | null]> = [
    ['relative error', limits.relativeError, meanFigure(relativeError)],
    ['1 − cosine', limits.cosineDistance, meanFigure(cosineDistance)],
    ['1 − cosine, 5th percentile', limits.cosineDistanceFifth, fifth === null ? null : { value: fifth, low: fifth, high: fifth }],
    ['KL in nats', limits.divergence, meanFigure(divergence)],
    [
      'top-1 disagreement',
      limits.disagreement,
      agreement && { value: 1 - agreement.mean, low: 1 - agreement.high, high: 1 - agreement.low },
    ],
  ];
  return rows.flatMap(([name, limit, figure]) =>
    limit === undefined || figure === null ? [] : [{ name: `output ${output}: ${name}`, limit, ...figure }],
  );
}

function meanFigure(estimate: ItemMean | null): Omit<Figure, 'name' | 'limit'> | null {
  return estimate && { value: estimate.mean, low: estimate.low, high: estimate.high };
}

function outcomeOf({ low, high, limit }: Figure): QualityOutcome {
  if (high <= limit) return 'pass';
  return low > limit ? 'regression' : 'inconclusive';
}

function marginsLost({ value, limit }: Figure): number {
  return value === 0 ? 0 : value / limit;
}

function reasonOf({ name, limit, value, low, high }: Figure, outcome: QualityOutcome): string {
  const interval = low === high ? '' : ` (${figureText(low)} to ${figureText(high)})`;
  const words = { pass: 'is within', regression: 'is beyond', inconclusive: 'is not shown to be within' }[outcome];
  return `${name} of ${figureText(value)}${interval} ${words} the limit of ${figureText(limit)}`;
}

function noLimit(outputs: readonly OutputDriftSummary[]): AttnswapError {
  const kinds = outputs.map(({ output, kind }) => `${output} (${kind})`).join(', ');
  return new AttnswapError('INVALID_DATA', `drift limits: none applies to the outputs ${kinds}`, {
    hint: 'set a limit for the relative error or the cosine distance, or for label disagreement',
  });
}
