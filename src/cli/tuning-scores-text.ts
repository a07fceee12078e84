import type { Task } from '../training/task.ts';
import { translationDifference } from '../tuning/difference.ts';
import type { SeedDifference } from '../tuning/difference.ts';
import type { TuningReport } from '../tuning/tune-testbed.ts';
import { digits, percent, signed } from '../text/figures.ts';
import { table, wrapped } from '../text/layout.ts';

/** Seeds whose scores a cell lists; of more it gives the range. */
const mostListed = 4;

/** Every attention's scores, swapped and tuned, and how far they lie from the baseline's. */
export function scoresText(report: TuningReport, baseline: string, metric: Task['metric']): string {
  const parts = [levels(report, baseline, metric), differences(report, metric), translations(report, baseline)];
  return parts.filter((part) => part !== '').join('\n\n');
}

/** BLEU and chrF of what greedy decoding gives. */
function translations({ baseline, candidates }: TuningReport, name: string): string {
  if (baseline.every(({ test }) => test.translation === undefined)) return '';
  const values = (trials: TuningReport['baseline'], score: 'bleu' | 'chrf') =>
    listed(
      trials.map(({ test }) => test.translation?.[score].value ?? Number.NaN),
      (value) => (Number.isNaN(value) ? '–' : value.toFixed(1)),
    );
  const interval = ([first]: TuningReport['baseline']) => {
    const { low, high } = first?.test.translation?.bleu ?? { low: null, high: null };
    return low === null || high === null ? '–' : `${low.toFixed(1)} … ${high.toFixed(1)}`;
  };
  const all = [{ candidate: name, finalists: baseline }, ...candidates];
  const rows = all.map(({ candidate, finalists }) => [
    candidate,
    values(finalists, 'bleu'),
    interval(finalists),
    values(finalists, 'chrf'),
  ]);
  const gained = candidates.flatMap(({ candidate, finalists }) => {
    const difference = translationDifference(baseline, finalists, 'bleu');
    return difference === null ? [] : [[candidate, ...intervalCells(difference, (value) => signed(value, Math.abs(value).toFixed(1)))]];
  });
  const seeds = baseline.length === 1 ? 'one seed' : `mean over ${baseline.length} seeds`;
  return [
    `BLEU and chrF of the translated test items, greedily decoded, ${listedText(baseline.length)}`,
    table([['attention', 'BLEU', 'over items', 'chrF'], ...rows]),
    'over items: 95 % interval of the first seed, from resampled test items.',
    '',
    `BLEU, tuned minus baseline: ${seeds}`,
    table([['attention', 'mean', '95 % interval', 'p'], ...gained]),
  ].join('\n');
}

/** A value a seed, or of many seeds their range. */
function listed(values: readonly number[], show: (value: number) => string): string {
  if (values.length <= mostListed) return values.map(show).join(' ');
  return [Math.min(...values), Math.max(...values)].map(show).join(' … ');
}

function listedText(seeds: number): string {
  return seeds <= mostListed ? 'one value per seed' : `range over ${seeds} seeds`;
}

function levels({ baseline, candidates }: TuningReport, name: string, metric: Task['metric']): string {
  const show = (score: number) => (metric === 'accuracy' ? (100 * score).toFixed(1) : digits(-score));
  const list = (scores: readonly number[]) => listed(scores, show);
  const tests = (trials: TuningReport['baseline']) => list(trials.map(({ test }) => test.mean));
  const rows = candidates.map(({ candidate, swapped, finalists, control, weightedShare }) => [
    candidate,
    percent(weightedShare),
    list(swapped),
    tests(finalists),
    control === null ? '–' : show(control.test.mean),
  ]);
  const what = metric === 'accuracy' ? 'Accuracy on the test items, %' : 'Bits per character on the test items, fewer are better';
  return [
    `${what}, ${listedText(baseline.length)}`,
    table([['attention', 'pairs', 'swapped', 'tuned', 'shuffled'], [name, percent(1), '', tests(baseline), ''], ...rows]),
    wrapped("pairs: weighted pairs, relative to dense attention. swapped: with the baseline's weights, no training."),
    'shuffled: tuned with the same number of keys, selected at random.',
  ].join('\n');
}

function differences({ baseline, candidates }: TuningReport, metric: Task['metric']): string {
  const rows = candidates.map(({ candidate, difference, recovered }) => [
    candidate,
    ...differenceCells(difference, metric),
    recovered === null ? '–' : percent(recovered.mean),
  ]);
  const unit = metric === 'accuracy' ? 'points' : 'bits per character, fewer are better';
  const lines = [
    `Tuned minus baseline, ${unit}: ${baseline.length === 1 ? 'one seed' : `mean over ${baseline.length} seeds`}`,
    table([['attention', 'mean', '95 % interval', 'p', 'recovered'], ...rows]),
  ];
  return [...lines, 'recovered: share of the swap’s loss, if that loss exceeds the quality margin.'].join('\n');
}

/** Mean, interval and p; of one seed there is only the mean. Scores of bits are negative: what is gained is fewer bits. */
export function differenceCells(difference: SeedDifference, metric: Task['metric']): string[] {
  if (metric === 'accuracy') return intervalCells(difference, (value) => signed(value, Math.abs(100 * value).toFixed(1)));
  const { low, high } = difference;
  return intervalCells({ ...difference, low: high, high: low }, (value) => signed(-value, digits(Math.abs(value))));
}

function intervalCells({ mean, low, high, p, count }: SeedDifference, shown: (value: number) => string): string[] {
  const cells = [Number.isFinite(mean) ? shown(mean) : 'unknown'];
  if (count < 2 || !Number.isFinite(low) || !Number.isFinite(high)) return [...cells, '–', '–'];
  return [...cells, `${shown(low)} … ${shown(high)}`, p < 1e-4 ? '< .0001' : p.toFixed(4).replace(/^0/, '')];
}
