import type { Task } from '../training/task.ts';
import { convergenceOf } from '../tuning/steps-to-quality.ts';
import type { StepSaving } from '../tuning/steps-to-quality.ts';
import type { TuningReport } from '../tuning/tune-testbed.ts';
import { digits, percent } from '../text/figures.ts';
import { table } from '../text/layout.ts';
import { meanOf } from '../statistics/mean.ts';

/** How many training steps each attention and the baseline took to the same validation score. */
export function convergenceText({ baseline, candidates }: TuningReport, name: string, metric: Task['metric']): string {
  const rows = candidates.flatMap(({ candidate, ...trained }) => {
    const found = convergenceOf(baseline, trained);
    if (found === null) return [];
    const score = metric === 'accuracy' ? percent(found.score) : digits(-found.score);
    return [[candidate, score, meanSteps(found.without), meanSteps(found.with), ...savingCells(found)]];
  });
  if (rows.length === 0) return '';
  return [
    'Training steps to the validation score that every training of the pair reached, mean over seeds',
    table([['attention', 'score', name, 'tuned', 'saved', '95 % interval'], ...rows]),
  ].join('\n');
}

function meanSteps(steps: readonly number[]): string {
  return meanOf(steps).toFixed(0);
}

/** The share of steps that was saved, and its interval over seeds. */
export function savingCells(steps: StepSaving | null): string[] {
  if (steps === null) return ['–', '–'];
  const { estimate, low, high } = steps.saved;
  return [percent(estimate), Number.isFinite(low) ? `${percent(low)} … ${percent(high)}` : '–'];
}
