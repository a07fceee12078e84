import { z } from 'zod';
import { usingModel } from '../model/file/open-proto.ts';
import { captureTestbed } from '../training/capture-testbed.ts';
import type { CapturingTestbed } from '../training/capture-testbed.ts';
import { oneItem } from '../training/task.ts';
import type { Task, TaskItems } from '../training/task.ts';
import { sitesOf } from '../training/testbed.ts';
import type { Site, Testbed } from '../training/testbed.ts';
import { findVariant, parseVariant } from '../variants/index.ts';
import { measureScored, scoredFigures, scoredFiguresSchema, scoredInterval } from '../waste/measure-scored.ts';
import type { ScoredFigures, ScoredRequest, ScoredRow, ScoredSums } from '../waste/measure-scored.ts';
import type { WasteFigure } from '../waste/schema.ts';
import type { FinishedTrial } from './finish-trial.ts';
import { itemsOf } from './files.ts';
import { trainedWeights } from './run-trial.ts';
import { testbedOf, trialId } from './trial.ts';
import type { TuningWork } from './work.ts';

/** Test items that are measured, the first ones; and rows of each head over all of them. */
const mostItems = 64;
const mostRows = 2048;

const measuredOf = z.object({ measured: z.int().min(0), of: z.int().min(0) });

const headSchema = z.object({ layer: z.int().min(0), head: z.int().min(0), figures: scoredFiguresSchema });
const headsOf = <Head extends z.ZodType>(head: Head) => z.array(head).max(65_536).readonly();

/**
 * What the attention of a trained model wastes and misses on the positions that are scored, on test items. With an encoder the answers are in the
 * source, so that cross-attention is measured, and all other attention `within` its own sequence apart.
 */
export const attentionWasteSchema = z.object({
  items: measuredOf,
  /** Scored positions of the measured items: each is one row of every head. */
  rows: measuredOf,
  interval: z.object({ confidence: z.number(), resamples: z.int(), seed: z.int() }),
  /** Over the heads of all layers. */
  all: scoredFiguresSchema,
  heads: headsOf(headSchema),
  /** Without labels: it is not known which keys it needs. An encoder's rows are the source's positions up to the last one that holds an answer. */
  within: z.object({ all: scoredFiguresSchema, heads: headsOf(headSchema.extend({ kind: z.enum(['encoder', 'self']) })) }).optional(),
});
export type AttentionWaste = z.infer<typeof attentionWasteSchema>;

/** The waste of a trained model, from the queries and keys that its export forms; null where its training diverged, or a layer weighs no pairs. */
export async function attentionWaste(work: TuningWork, { trial, epochs }: FinishedTrial): Promise<AttentionWaste | null> {
  const testbed = testbedOf(trial, work.tuning, work.task);
  const weighs = sitesOf(testbed).every(({ attention }) => findVariant(parseVariant(attention).variant).rows !== undefined);
  if (epochs.at(-1)?.diverged === true || !weighs) return null;
  return work.state.step(`waste/${trialId(trial)}`, async () => {
    work.progress(`${trialId(trial)}: what its attention wastes`);
    const { runner, seed } = work;
    const items = await itemsOf(work, 'test', 0);
    return usingModel(captureTestbed(testbed, await trainedWeights(work, trial), runner), (model) =>
      measureItems(model, { items, testbed, seed, groups: work.task.keyGroups }),
    );
  });
}

interface Measured {
  readonly items: TaskItems;
  readonly testbed: Testbed;
  /** Of the intervals. */
  readonly seed: number;
  readonly groups: Task['keyGroups'];
}

async function measureItems(model: CapturingTestbed, { items, testbed, seed, groups: given }: Measured): Promise<AttentionWaste> {
  const count = Math.min(mostItems, items.items);
  const sites = sitesOf(testbed);
  const sums = sites.flatMap((site, at) =>
    Array.from({ length: testbed.heads }, (_, head) => ({ site, at, head, items: [] as ScoredSums[] })),
  );
  const answering = items.source === undefined ? 'self' : 'cross';
  const groupsOf = ({ kind }: Site) => (kind === answering ? given : undefined);
  const rows = { measured: 0, of: 0 };
  for (let item = 0; item < count; item += 1) {
    const scored = rowsOf(items, item);
    const some = (list: readonly ScoredRow[]) => evenly(list, Math.floor(mostRows / count));
    const measured = { self: some(scored.self), encoder: some(scored.encoder), cross: some(scored.cross) };
    rows.of += scored[answering].length;
    rows.measured += measured[answering].length;
    const inputs = await model.capture(oneItem(items, item));
    for (const { site, at, head, items: own } of sums)
      own.push(headSums({ inputs: inputs[at]!, rows: measured[site.kind], groups: groupsOf(site) }, site, head));
  }
  const figuresOf = (own: typeof sums) => ({
    all: scoredFigures(pooled(own.map((each) => each.items)), seed, groupsOf(own[0]!.site)),
    heads: own.map(({ site, head, items: ofHead }) => ({ layer: site.layer, head, figures: scoredFigures(ofHead, seed, groupsOf(site)) })),
  });
  const measured = { items: { measured: count, of: items.items }, rows, interval: scoredInterval(seed) };
  const answers = { ...measured, ...figuresOf(sums.filter(({ site }) => site.kind === answering)) };
  if (answering === 'self') return answers;
  const others = sums.filter(({ site }) => site.kind !== 'cross');
  const { all, heads } = figuresOf(others);
  return { ...answers, within: { all, heads: heads.map((head, at) => ({ ...head, kind: others[at]!.site.kind as 'encoder' | 'self' })) } };
}

/** An item's rows by kind of attention, those with answers where they can be found: in the sequence itself, or in its source. */
function rowsOf(items: TaskItems, item: number): Record<Site['kind'], ScoredRow[]> {
  const scored = scoredRows(items, item);
  if (items.source === undefined) return { self: scored, encoder: [], cross: [] };
  const unlabelled = (query: number) => ({ query, relevant: undefined });
  const last = Math.max(...scored.flatMap(({ relevant = [] }) => relevant));
  return {
    self: scored.map(({ query }) => unlabelled(query)),
    encoder: Array.from({ length: last + 1 }, (_, query) => unlabelled(query)),
    cross: scored,
  };
}

/** The head that lays most on the keys that hold the answers; undefined where they are not known. */
export function bestHead({ heads }: AttentionWaste): AttentionWaste['heads'][number] | undefined {
  const known = heads.filter(({ figures }) => figures.labelledWaste !== null);
  return known.toSorted((a, b) => a.figures.labelledWaste!.value - b.figures.labelledWaste!.value)[0];
}

/** The rows that see none of the keys that hold their answer; in records without it each answer has one key. */
export function unseenAnswers({ missedAnswers, missedRelevantKeys }: ScoredFigures): WasteFigure | null {
  return missedAnswers === undefined ? missedRelevantKeys : missedAnswers;
}

/** The positions of an item whose answer counts, with the keys that hold it where they are known. */
export function scoredRows({ length, targets, relevant }: TaskItems, item: number): ScoredRow[] {
  const start = item * length;
  const scored = Array.from({ length }, (_, query) => query).filter((query) => targets[start + query] !== -1);
  return scored.map((query) => {
    const keys = relevant?.[start + query] ?? [];
    return { query, relevant: keys.length === 0 ? undefined : keys };
  });
}

/** At most `count` of a list, evenly spaced, the last one among them: it sees the most. */
export function evenly<T>(list: readonly T[], count: number): T[] {
  const kept = Math.min(count, list.length);
  return Array.from({ length: kept }, (_, index) => list[Math.ceil(((index + 1) * list.length) / kept) - 1]!);
}

function headSums(of: Pick<ScoredRequest, 'inputs' | 'rows' | 'groups'>, { attention }: Site, head: number): ScoredSums {
  const { variant, parameters } = parseVariant(attention);
  return measureScored({ ...of, variant: findVariant(variant), parameters, dense: findVariant('dense') }, head);
}

/** Each item's sums over all heads. */
function pooled(heads: ReadonlyArray<readonly ScoredSums[]>): ScoredSums[] {
  return heads[0]!.map((_, item) => heads.map((own) => own[item]!).reduce((sum, each) => sum.map((value, at) => value + each[at]!)));
}
