import type { Technique, Tuning } from '../contract/tuning.ts';
import type { Testbed } from '../contract/testbed.ts';
import type { Task } from '../training/task.ts';
import { layersWith } from './candidate.ts';

/** The validation score of a training that diverged: below all others, and a number, as JSON has no infinity. */
export const noScore = -Number.MAX_VALUE;

/** Whether there is a score. */
export function isScore(score: number | null): score is number {
  return score !== null && score > noScore;
}

/** What one training is of. */
export interface Trial {
  /** The attention of every layer, as a candidate is written. */
  readonly attention: string;
  readonly position: Testbed['position'];
  readonly norm: Testbed['norm'];
  readonly normPlacement: Testbed['normPlacement'];
  readonly learningRate: number;
  readonly techniques: readonly Technique[];
  readonly start: 'drawn' | 'baseline';
  /** The confidence of early exits after every layer but the last; null for none. */
  readonly exits: number | null;
  /** Nats that a layer costs an answer, for heads that decide who leaves; null where the softmax does. */
  readonly layerCost: number | null;
  /** Of first weights, training items and their order. */
  readonly seed: number;
  /** The control: keys selected at random. */
  readonly shuffled?: true;
}

/** The same trial: one without exits has no use for what a layer costs. */
export function settled<T extends Pick<Trial, 'exits' | 'layerCost'>>(trial: T): T {
  return trial.exits === null ? { ...trial, layerCost: null } : trial;
}

/** What the baseline of a seed gives to trials that learn from it. */
export interface Reference {
  readonly trial: Trial;
  /** Path of its trained weights. */
  readonly weights: string;
  /** `[attentions][heads]`, sum 1. */
  readonly importance: ReadonlyArray<readonly number[]>;
}

/** Readable, unique and stable: `topk:k=8 rotary layer before lr=0.003 drawn sparsify+distil seed1`. */
export function trialId(trial: Trial): string {
  const { attention, position, norm, normPlacement, learningRate, techniques, start, exits, layerCost, seed, shuffled } = trial;
  // A trial without exits has the name that it had before there were any: its folder goes on.
  const early = exits === null ? [] : [`exit=${exits}`, ...(layerCost === null ? [] : [`cost=${layerCost}`])];
  const used = techniques.length === 0 ? [] : [techniques.join('+')];
  const control = shuffled === true ? ['shuffled'] : [];
  return [attention, position, norm, normPlacement, `lr=${learningRate}`, start, ...early, ...used, ...control, `seed${seed}`].join(' ');
}

/** A trial's choices without attention and seed, as a reader wants them. */
export function choicesOf({ position, norm, normPlacement, learningRate, techniques, start, ...early }: Omit<Trial, 'shuffled'>): string {
  const used = techniques.length === 0 ? '' : `, ${techniques.join(' + ')}`;
  const from = start === 'baseline' ? ", from the baseline's weights" : '';
  const rule = exitsText(early);
  return `${position}, ${norm} norm ${normPlacement}, rate ${learningRate}${used}${from}${rule === '' ? '' : `, ${rule}`}`;
}

/** What decides who leaves early; empty without exits. */
export function exitsText({ exits, layerCost }: Pick<Trial, 'exits' | 'layerCost'>): string {
  if (exits === null) return '';
  return layerCost === null ? `exits at confidence ${exits}` : `exits where a trained head reaches ${exits} (${layerCost} nats per layer)`;
}

/** The testbed of a trial, for a task. */
export function testbedOf(
  trial: Trial,
  tuning: Pick<Tuning, 'baseline' | 'model'>,
  task: Pick<Task, 'vocabulary' | 'classes' | 'length' | 'causal' | 'grid' | 'sourceLength'>,
): Testbed {
  const { layers, ...sizes } = tuning.model;
  const { position, norm, normPlacement, exits, layerCost } = trial;
  const { vocabulary, classes, length, causal, grid } = task;
  return {
    vocabulary,
    classes,
    length,
    causal,
    ...(grid !== undefined && { grid }),
    ...sizes,
    ...layersWith(trial.attention, tuning, task),
    position,
    norm,
    normPlacement,
    ...(layerCost !== null && { layerCost }),
    ...(exits !== null && { exits: Array.from({ length: layers - 1 }, () => exits) }),
  };
}
