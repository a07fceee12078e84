import type { Task } from '../training/task.ts';
import type { SeedDifference } from '../tuning/difference.ts';
import type { TuningReport } from '../tuning/tune-testbed.ts';
import { digits, percent, signed } from '../text/figures.ts';
import { table, wrapped } from '../text/layout.ts';

/** Seeds whose scores a cell lists; of more it gives the range. */
const mostListed = 4;

/** Every attention's scores, swapped and tuned, and how far they lie from the baseline's. */
export function scoresText(report: TuningReport, baseline: string, metric: Task['metric']): string {
  return [levels(report, baseline, metric), differences(report, metric)].join('\n\n');
}

function levels({ baseline, candidates }: TuningReport, name: string, metric: Task['metric']): string {
  const show = (score: number) => (metric === 'accuracy' ? (100 * score).toFixed(1) : digits(-score));
  const list = (scores: readonly number[]) => {
    if (scores.length <= mostListed) return scores.map(show).join(' ');
    return [Math.min(...scores), Math.max(...scores)].map(show).join(' … ');
  };
  const tests = (trials: TuningReport['baseline']) => list(trials.map(({ test }) => test.mean));
  const rows = candidates.map(({ candidate, swapped, finalists, control, weightedShare }) => [
    candidate,
    percent(weightedShare),
    list(swapped),
    tests(finalists),
    control === null ? '–' : show(control.test.mean),
  ]);
  const each = baseline.length <= mostListed ? 'one value per seed' : `range over ${baseline.length} seeds`;
  const what = metric === 'accuracy' ? 'Accuracy on the test items, %' : 'Bits per character on the test items, fewer are better';
  return [
    `${what}, ${each}`,
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
export function differenceCells({ mean, low, high, p, count }: SeedDifference, metric: Task['metric']): string[] {
  const shown = (value: number) => {
    const size = metric === 'accuracy' ? Math.abs(100 * value).toFixed(1) : digits(Math.abs(value));
    return signed(metric === 'accuracy' ? value : -value, size);
  };
  const cells = [Number.isFinite(mean) ? shown(mean) : 'unknown'];
  if (count < 2 || !Number.isFinite(low) || !Number.isFinite(high)) return [...cells, '–', '–'];
  const [from, to] = metric === 'accuracy' ? [low, high] : [high, low];
  return [...cells, `${shown(from)} … ${shown(to)}`, p < 1e-4 ? '< .0001' : p.toFixed(4).replace(/^0/, '')];
}
