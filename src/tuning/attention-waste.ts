import { z } from 'zod';
import type { AttentionInputs } from '../contract/inputs.ts';
import { usingModel } from '../model/file/open-proto.ts';
import { captureTestbed } from '../training/capture-testbed.ts';
import type { CapturingTestbed } from '../training/capture-testbed.ts';
import type { TaskItems } from '../training/task.ts';
import { findVariant, parseVariant } from '../variants/index.ts';
import { measureScored, scoredFigures, scoredFiguresSchema, scoredInterval } from '../waste/measure-scored.ts';
import type { ScoredRow, ScoredSums } from '../waste/measure-scored.ts';
import type { FinishedTrial } from './finish-trial.ts';
import { trainedWeights } from './run-trial.ts';
import { testbedOf, trialId } from './trial.ts';
import type { TuningWork } from './work.ts';

/** Test items that are measured, the first ones; and rows of each head over all of them. */
const mostItems = 64;
const mostRows = 2048;

const measuredOf = z.object({ measured: z.int().min(0), of: z.int().min(0) });

/** What the attention of a trained model wastes and misses on the positions that are scored, on test items. */
export const attentionWasteSchema = z.object({
  items: measuredOf,
  /** Scored positions of the measured items: each is one row of every head. */
  rows: measuredOf,
  interval: z.object({ confidence: z.number(), resamples: z.int(), seed: z.int() }),
  /** Over the heads of all layers. */
  all: scoredFiguresSchema,
  heads: z
    .array(z.object({ layer: z.int().min(0), head: z.int().min(0), figures: scoredFiguresSchema }))
    .max(65_536)
    .readonly(),
});
export type AttentionWaste = z.infer<typeof attentionWasteSchema>;

/** The waste of a trained model, from the queries and keys that its export forms; null where its training diverged, or a layer weighs no pairs. */
export async function attentionWaste(work: TuningWork, { trial, epochs }: FinishedTrial): Promise<AttentionWaste | null> {
  if (epochs.at(-1)?.diverged === true || findVariant(parseVariant(trial.attention).variant).rows === undefined) return null;
  return work.state.step(`waste/${trialId(trial)}`, async () => {
    work.progress(`${trialId(trial)}: what its attention wastes`);
    const { task, tuning, runner, seed } = work;
    const testbed = testbedOf(trial, tuning, task);
    const items = await task.items('test', tuning.items.test, 0);
    return usingModel(captureTestbed(testbed, await trainedWeights(work, trial), runner), (model) =>
      measureItems(model, { items, attention: testbed.attention, heads: testbed.heads, seed }),
    );
  });
}

interface Measured {
  readonly items: TaskItems;
  /** Of each layer. */
  readonly attention: readonly string[];
  readonly heads: number;
  /** Of the intervals. */
  readonly seed: number;
}

async function measureItems(model: CapturingTestbed, { items, attention, heads, seed }: Measured): Promise<AttentionWaste> {
  const { length, tokens } = items;
  const count = Math.min(mostItems, items.items);
  const sums = attention.flatMap((_, layer) => Array.from({ length: heads }, (_, head) => ({ layer, head, items: [] as ScoredSums[] })));
  const rows = { measured: 0, of: 0 };
  for (let item = 0; item < count; item += 1) {
    const scored = scoredRows(items, item);
    const measured = evenly(scored, Math.floor(mostRows / count));
    rows.of += scored.length;
    rows.measured += measured.length;
    const layers = await model.capture({ items: 1, length, tokens: tokens.subarray(item * length, (item + 1) * length) });
    for (const each of sums) each.items.push(headSums(layers[each.layer]!, attention[each.layer]!, measured, each.head));
  }
  return {
    items: { measured: count, of: items.items },
    rows,
    interval: scoredInterval(seed),
    all: scoredFigures(pooled(sums.map((each) => each.items)), seed),
    heads: sums.map(({ layer, head, items: own }) => ({ layer, head, figures: scoredFigures(own, seed) })),
  };
}

/** The head that lays most on the keys that hold the answers; undefined where they are not known. */
export function bestHead({ heads }: AttentionWaste): AttentionWaste['heads'][number] | undefined {
  const known = heads.filter(({ figures }) => figures.labelledWaste !== null);
  return known.toSorted((a, b) => a.figures.labelledWaste!.value - b.figures.labelledWaste!.value)[0];
}

/** The positions of an item whose answer counts, with the position that holds it where that is known. */
export function scoredRows({ length, targets, relevant }: TaskItems, item: number): ScoredRow[] {
  const start = item * length;
  const scored = Array.from({ length }, (_, query) => query).filter((query) => targets[start + query] !== -1);
  return scored.map((query) => {
    const key = relevant?.[start + query] ?? -1;
    return { query, relevant: key === -1 ? undefined : [key] };
  });
}

/** At most `count` of a list, evenly spaced, the last one among them: it sees the most. */
export function evenly<T>(list: readonly T[], count: number): T[] {
  const kept = Math.min(count, list.length);
  return Array.from({ length: kept }, (_, index) => list[Math.ceil(((index + 1) * list.length) / kept) - 1]!);
}

function headSums(inputs: AttentionInputs, text: string, rows: readonly ScoredRow[], head: number): ScoredSums {
  const { variant, parameters } = parseVariant(text);
  return measureScored({ inputs, variant: findVariant(variant), parameters, dense: findVariant('dense'), rows }, head);
}

/** Each item's sums over all heads. */
function pooled(heads: ReadonlyArray<readonly ScoredSums[]>): ScoredSums[] {
  return heads[0]!.map((_, item) => heads.map((own) => own[item]!).reduce((sum, each) => sum.map((value, at) => value + each[at]!)));
}
