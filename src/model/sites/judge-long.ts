import { denseSpan } from '../../contract/span.ts';
import type { Span } from '../../contract/span.ts';
import type { Candidate } from './candidate.ts';
import { factorAt } from './factors.ts';
import { carriedSizes } from './carried-sizes.ts';
import { fitsPath } from './logit-path.ts';
import type { PathRun } from './logit-path.ts';
import type { LongRun } from './long-runs.ts';
import { isSameTensor, keptBy } from './mask-sources.ts';
import type { Tensor } from '../../contract/tensor.ts';
import type { Probed } from './probe-candidates.ts';
import { isBlind, keptKeys, operatorScale, readMasks, tolerances, unseenKey } from './read-masks.ts';
import type { MaskReading, PairSizes } from './read-masks.ts';
import type { SitePlan, SwappableSite } from './site.ts';
import { unsettledSize } from './settled-scale.ts';
import { softcapIn } from './soft-cap.ts';
import type { Reach } from './value-reach.ts';
import { ownWidth, viewedSizes } from './views.ts';
import type { View } from './views.ts';
import { windowIn } from './window-in.ts';

/** How long what was seen of a site holds. */
export interface LongProof {
  /** Tokens of the longest run; undefined where none was longer than the small runs. */
  readonly length: number | undefined;
  /** What the site does in a long run that it did not do in small ones. */
  readonly problem?: string;
  /** The window that such a run shows instead. */
  readonly window?: Span | undefined;
}

/** A site whose masks and sizes are read. */
export interface LongSubject {
  readonly candidate: Candidate;
  readonly probed: Probed;
  readonly swap: SwappableSite;
  /** Batch elements of its short runs. */
  readonly shortBatch: number;
  /** Tensors that are read, and what they come from: masks and factors, and of a bias that is handed over factors alone. */
  readonly reads: readonly string[];
  readonly from: Pick<Reach, 'nodes' | 'constants' | 'integers' | 'thresholds' | 'computed' | 'largestStored'>;
}

/** Whether a site's mask is what runs show, and not handed over as it is. */
export function readsMask({ swap: { site } }: Pick<LongSubject, 'swap'>): boolean {
  return site.mask !== 'bias';
}

/** Queries, keys, values and the output. */
export function viewsOf({ query, key, value, output }: SitePlan): View[] {
  return [query, key, value, output];
}

/** What masks do in a run; sites that read the same masks share a reading. */
export class Readings {
  readonly #known: Array<{
    readonly key: string;
    readonly sides: ReadonlyArray<Tensor | undefined>;
    readonly reading: MaskReading | string;
  }> = [];
  readonly #run: LongRun;

  constructor(run: LongRun) {
    this.#run = run;
  }

  of(subject: LongSubject): MaskReading | string {
    const { candidate, probed } = subject;
    const { path, declared } = candidate;
    const sides = probed.reach.masks.map((name) => this.#run.seen.tensor(name));
    const steps = path?.before.map(({ node, carried }) => [
      node.opType,
      carried,
      node.attribute.map(({ name, f, i }) => [name, f, `${i}`]),
    ]);
    const carried = path === undefined ? undefined : [...carriedSizes(path, this.#run.seen).values()];
    const key = JSON.stringify([sizesIn(subject, this.#run), steps, carried, declared?.causal, declared?.masks.map(({ rule }) => rule)]);
    const same = this.#known.find((known) => known.key === key && known.sides.every((side, at) => isSameTensor(side, sides[at])));
    if (same !== undefined) return same.reading;
    const reading = readingOf(subject, this.#run) ?? 'its masks and its logits differ in size';
    this.#known.push({ key, sides, reading });
    return reading;
  }
}

function readingOf(subject: LongSubject, run: LongRun): MaskReading | string | undefined {
  const { candidate, swap } = subject;
  return readMasks(candidate, pathRun(subject, run), sizesIn(subject, run), tolerances[swap.site.dtype === 'f16' ? 'f16' : 'f32']);
}

/** Whether a runtime would take what meets the logits in a run. */
export function fits(subject: LongSubject, run: LongRun): boolean {
  const { path } = subject.candidate;
  return path === undefined || fitsPath(path, pathRun(subject, run));
}

function pathRun(subject: LongSubject, run: LongRun): PathRun {
  const { rows, keys } = sizesIn(subject, run);
  const { path } = subject.candidate;
  const carried = path === undefined ? undefined : carriedSizes(path, run.seen);
  const dims = (tensor: string) => [...(carried?.get(tensor) ?? []).slice(0, -2), rows!.length, keys];
  return { dims, tensor: (name) => run.seen.tensor(name) };
}

/** Sizes of a site in a run, and the rows that were watched. */
export function sizesIn({ swap: { plan } }: LongSubject, { seen, step }: LongRun): PairSizes {
  const [batch, heads, queries] = viewedSizes(plan.query, seen.dims(plan.query.tensor));
  const keys = viewedSizes(plan.key, seen.dims(plan.key.tensor))[2];
  const rows = Array.from({ length: Math.ceil(queries / step) }, (_, place) => queries - 1 - place * step);
  return { batch, heads, queries, keys, rows };
}

/** What a run says of a site: `length` is how many tokens it bears out. */
export function judge(subject: LongSubject, run: LongRun, readings: Readings): LongProof & { readonly length: number } {
  const { candidate, probed, swap, shortBatch } = subject;
  const { site, plan } = swap;
  const [query, key, value, output] = viewsOf(plan).map((view) => viewedSizes(view, run.seen.dims(view.tensor)));
  const { batch, queries, keys } = sizesIn(subject, run);
  const short = probed.runs[0]!.seen;
  const perElement = short.tensor(probed.names.query)!.dims[0]! / shortBatch;
  const wrong = failing(subject, run);
  const wanted = [batch, site.heads, queries, site.headDim];
  const wantedKeys = [batch, site.kvHeads, keys, site.headDim];
  const asBefore = [wanted, wantedKeys, wantedKeys, wanted].every(
    (sizes, part) => sizes.join() === [query, key, value, output][part]!.join(),
  );
  if (!asBefore || batch !== run.batch * perElement)
    return wrong(`its sizes differ from those in short runs: queries [${query!.join(', ')}]`);
  const unsettled = unsettledSize(
    probed.reach.scale,
    [short, run.seen].map(({ tensor }) => tensor),
    ownWidth(plan.query, site.headDim),
  );
  if (unsettled !== undefined) return wrong(unsettled);
  if (softcapIn(candidate, run.seen.tensor) !== site.softcap) return wrong('its soft cap differs from that in short runs');
  if (readsMask(subject)) return judgeMask(subject, run, readings);
  const { path } = candidate;
  const factor = path === undefined ? 1 : factorAt(path, (name) => run.seen.tensor(name));
  return factor !== undefined && scaleAgrees(subject, factor) ? { length: keys } : wrong('its scale differs from that in short runs');
}

/** The same of its mask and scale alone. */
export function judgeMask(subject: LongSubject, run: LongRun, readings: Readings): LongProof & { readonly length: number } {
  const { site, plan } = subject.swap;
  const { batch, keys } = sizesIn(subject, run);
  const wrong = failing(subject, run);
  const reading = readings.of(subject);
  if (typeof reading === 'string') return wrong(reading);
  if (isBlind(reading)) return run.at.style === 'plain' ? wrong('none of its queries sees a key') : { length: 0 };
  if (reading.problem !== undefined) return wrong(reading.problem);
  if (!scaleAgrees(subject, reading.scale)) return wrong('its scale differs from that in short runs');
  const kept = keptKeys(reading, site.window ?? denseSpan(site.causal === true));
  if (kept === undefined)
    return { ...wrong('its mask differs from that in short runs: a window, chunks or a prefix'), window: windowIn([reading]) };
  const values = plan.mask === undefined ? undefined : run.seen.tensor(plan.mask.tensor);
  const keeps = plan.mask === undefined ? new Uint8Array(batch * keys).fill(1) : values && keptBy(values, plan.mask.rule, { batch, keys });
  if (keeps === undefined || keeps.some((keep, slot) => ![keep, unseenKey].includes(kept[slot]!)))
    return wrong('it masks different keys than in short runs');
  return { length: keys };
}

function failing(subject: LongSubject, run: LongRun) {
  const { keys } = sizesIn(subject, run);
  const elements = run.batch > subject.shortBatch ? ` and ${run.batch} batch elements` : '';
  return (problem: string) => ({ length: keys, problem: `at ${keys} tokens${elements} ${problem}` });
}

function scaleAgrees({ candidate, swap: { site, plan } }: LongSubject, factor: number): boolean {
  return Math.abs((factor * operatorScale(candidate, ownWidth(plan.query, site.headDim))) / site.scale - 1) <= 2e-3;
}
