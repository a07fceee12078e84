import { z } from 'zod';
import { recordReader } from '../files/read-record.ts';
import { confidence, layerCost, testbedSchema } from './testbed.ts';

const count = z.int().min(1).max(1e7);
const oneOrMore = <T extends z.ZodType>(item: T) => z.array(item).min(1);
const { width, heads, hidden, exitBy, sharedLayers, position, norm, normPlacement } = testbedSchema.def.shape;

/** Training techniques that a trial may use. */
export const techniques = ['sparsify', 'distil', 'heads'] as const;
export type Technique = (typeof techniques)[number];

/** What trials choose from; the first of each is what a trial has that changes nothing else. */
const spaceSchema = z.strictObject({
  position: oneOrMore(position).default(['rotary']),
  norm: oneOrMore(norm).default(['layer']),
  normPlacement: oneOrMore(normPlacement).default(['before']),
  learningRate: oneOrMore(z.number().positive().max(1)).default([3e-3]),
  /**
   * Sets of techniques: `sparsify`, from dense, 10 points of sparsity more an epoch; `distil`, the baseline's soft labels; `heads`, its heads'
   * outputs, weighed by their importance.
   */
  techniques: oneOrMore(z.array(z.enum(techniques))).default([[]]),
  /** From drawn weights, or from the baseline's where they fit. */
  start: oneOrMore(z.enum(['drawn', 'baseline'])).default(['drawn']),
  /** The confidence of early exits after every layer but the last; null for none. Absent: none. */
  exits: oneOrMore(confidence.nullable()).optional(),
  /** Nats that a layer costs an answer: exits are then decided by heads that are trained to weigh it against the loss; null for none. */
  layerCost: oneOrMore(layerCost.nullable()).optional(),
});

const least = z.int().min(1).exactOptional();
const smallerSchema = z.strictObject({
  items: z.strictObject({ train: least, validation: least, test: least }).exactOptional(),
  training: z.strictObject({ epochs: least, batch: least }).exactOptional(),
  search: z.strictObject({ trials: least, seeds: least }).exactOptional(),
});

const definitionSchema = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]*$/, 'lower-case letters, digits and hyphens'),
  description: z.string().default(''),
  /** As `recall.quick` or `recall:pairs=8,length=128`. */
  task: z.string(),
  model: z.strictObject({ layers: z.int().min(1).max(64), width, heads, hidden, exitBy, sharedLayers }),
  /** The attention that all others are compared with. */
  baseline: z.string().default('dense'),
  /** Attention that may take its place, in every layer. */
  candidates: oneOrMore(z.string()),
  space: spaceSchema.default(spaceSchema.parse({})),
  items: z.strictObject({ train: count, validation: count, test: count }).default({ train: 6400, validation: 512, test: 1024 }),
  training: z
    .strictObject({
      epochs: z.int().min(1).max(10_000),
      batch: count,
      weightDecay: z.number().min(0).default(0.1),
      warmUpSteps: z.int().min(0).default(50),
      clip: z.number().positive().default(1),
      /** A trial ends when its validation score is this good. */
      enough: z.number().optional(),
    })
    .default({ epochs: 8, batch: 64, weightDecay: 0.1, warmUpSteps: 50, clip: 1 }),
  search: z
    .strictObject({
      /** Trials of each candidate. */
      trials: z.int().min(1).max(1000),
      /** Of the trials that reach a rung, one in so many goes on. */
      reduction: z.int().min(2).default(2),
      /** Trainings of the baseline and of each candidate's best trial, from different weights and data. */
      seeds: z.int().min(1).max(100).default(3),
    })
    .default({ trials: 2, reduction: 2, seeds: 3 }),
  distillation: z
    .strictObject({ weight: z.number().min(0).max(1), temperature: z.number().positive(), headLoss: z.number().min(0) })
    .default({ weight: 0.5, temperature: 2, headLoss: 1 }),
  /**
   * What a trainer without native code, in WebAssembly, gets instead: as much as it can spend in about half an hour. Absent: one trial and two
   * seeds; {}: all of the above.
   */
  smaller: smallerSchema.exactOptional(),
  /** The largest loss of the mean score, as a share of the baseline's, that passes. */
  qualityMargin: z.number().positive().max(1).default(0.02),
});

export const tuningSchema = definitionSchema.superRefine(({ model: { layers }, space }, context) => {
  const isUsed = (list: ReadonlyArray<number | null> = []) => list.some((each) => each !== null);
  const refuse = (name: 'exits' | 'layerCost', message: string) => context.addIssue({ code: 'custom', path: ['space', name], message });
  if (isUsed(space.exits) && layers < 2) refuse('exits', `exits need a model of at least 2 layers, got ${layers}`);
  if (isUsed(space.layerCost) && !isUsed(space.exits)) refuse('layerCost', 'a cost needs exits to weigh, such as exits: [0.5]');
});
export type TuningDefinition = z.input<typeof tuningSchema>;
export type Tuning = z.output<typeof tuningSchema>;

/** Types a tuning suite's file: `export default defineTuning({ … })`. */
export function defineTuning(definition: TuningDefinition): TuningDefinition {
  return definition;
}

/** @throws INVALID_SUITE naming the field */
export const readTuning = recordReader(tuningSchema, {
  code: 'INVALID_SUITE',
  hint: 'export default defineTuning({ name, task, model, candidates })',
  whole: 'default export',
});
