import { digits, percent, signed } from '../../text/figures.ts';
import { taskOf } from '../../training/tasks/index.ts';
import { clip } from '../../text/layout.ts';
import { oneLine } from '../../text/untrusted.ts';
import type { TableCell } from '../document.ts';
import type { StoredTuningRecord } from '../../tuning/record.ts';
import { isScore } from '../../tuning/trial.ts';

/** How a tuning's scores are shown. In the record higher is better: bits are negative there. */
export interface Measure {
  /** `accuracy`, `bits per character`, or `score` of a task that is not known here. */
  readonly name: string;
  /** What is better, in words. */
  readonly better: string;
  /** The task in a sentence, with what guessing comes to. */
  readonly task: string;
  /** Of guessing, as scores of the record; undefined where it is not known. */
  readonly chance: number | undefined;
  /** A score as it is drawn. */
  shown(score: number): number;
  text(score: number): string;
  /** The unit that differences are drawn in; more is better. */
  readonly differenceUnit: string;
  differenceShown(difference: number): number;
  differenceText(difference: number): string;
}

/** How the scores of a record's task are shown. */
export function measureOf({ settings }: Pick<StoredTuningRecord, 'settings'>): Measure {
  const name = clip(oneLine(settings.task), 200);
  const task = knownTask(settings.task);
  if (task === undefined) return { ...plain, task: name };
  const { metric, summary, chance } = task;
  if (metric === 'accuracy') return { ...accuracy, chance, task: `${name}: ${summary}; chance is ${percent(chance)}` };
  return { ...bits, chance: -chance, task: `${name}: ${summary}; ${digits(chance)} bits per character for a uniform guess` };
}

/** The task of a name; undefined where this version knows none of it. */
function knownTask(text: string): ReturnType<typeof taskOf> | undefined {
  try {
    return taskOf(text);
  } catch {
    return undefined;
  }
}

const plain = {
  name: 'score',
  better: 'more is better',
  chance: undefined,
  shown: (score: number) => score,
  text: digits,
  differenceUnit: 'score',
  differenceShown: (difference: number) => difference,
  differenceText: (difference: number) => signed(difference, digits(Math.abs(difference))),
};

const accuracy = {
  ...plain,
  name: 'accuracy',
  // Two trainings that differ by a hundredth of a point are not the same.
  text: (score: number) => `${(100 * score).toFixed(1)} %`,
  differenceUnit: 'points',
  differenceShown: (difference: number) => 100 * difference,
  differenceText: (difference: number) => signed(difference, `${Math.abs(100 * difference).toFixed(1)} points`),
};

const bits = {
  ...plain,
  name: 'bits per character',
  better: 'fewer are better',
  shown: (score: number) => -score,
  text: (score: number) => digits(-score),
  differenceUnit: 'bits saved',
  differenceText: (difference: number) => (difference < 0 ? `${digits(-difference)} bits more` : `${digits(difference)} bits fewer`),
};

/** A score in words; of a training that diverged `none`. */
export function scoreText(measure: Measure, score: number | null): string {
  return isScore(score) ? measure.text(score) : 'none';
}

/** A score, sorted by what is better. */
export function scoreCell(measure: Measure, score: number | null): TableCell {
  return isScore(score) ? { text: measure.text(score), value: score } : { text: 'none', standing: 'unsure' };
}
