import type { NodeProto } from 'onnx-buf';
import { denseSpan } from '../../contract/span.ts';
import type { Span } from '../../contract/span.ts';
import type { Tensor } from '../../contract/tensor.ts';
import type { Candidate } from './candidate.ts';
import { factorAt, factorsOf } from './factors.ts';
import { carriedSizes, carriedSources } from './carried-sizes.ts';
import { fitsPath } from './logit-path.ts';
import type { PathRun } from './logit-path.ts';
import { farthestRuns, mostTokens, wholeWindow } from './long-runs.ts';
import type { LongRun } from './long-runs.ts';
import { isSameTensor, keptBy, numbersOf } from './mask-sources.ts';
import type { GraphIndex } from '../graph/graph-index.ts';
import { usingModel } from '../file/open-proto.ts';
import { opsetOf } from './probe-candidates.ts';
import type { Probed, Probing, ProbeSubject } from './probe-candidates.ts';
import { followSizes } from '../fit/follow-sizes.ts';
import type { FollowedSizes } from '../fit/follow-sizes.ts';
import { batchOf, guessSizes, named } from './probe-inputs.ts';
import { isBlind, keptKeys, operatorScale, readMasks, tolerances, unseenKey } from './read-masks.ts';
import type { MaskReading, PairSizes } from './read-masks.ts';
import type { SitePlan, SwappableSite } from './site.ts';
import { unsettledSize } from './settled-scale.ts';
import { sizesAlone } from './sizes-alone.ts';
import { skeletonOf } from './skeleton.ts';
import { softcapIn } from './soft-cap.ts';
import { walkBack } from './value-reach.ts';
import type { Reach } from './value-reach.ts';
import { viewedSizes } from './views.ts';
import type { View } from './views.ts';
import { watchModel } from './watch.ts';
import { windowIn } from './window-in.ts';

/** Elements from which on a stored tensor may hold a mask. */
const storedMask = 257;

/** How long what was seen of a site holds. */
export interface LongProof {
  /** Tokens of the longest run; undefined where none was longer than the small runs. */
  readonly length: number | undefined;
  /** What the site does in a long run that it did not do in small ones. */
  readonly problem?: string;
  /** The window that such a run shows instead. */
  readonly window?: Span | undefined;
}

interface LongSubject {
  readonly candidate: Candidate;
  readonly probed: Probed;
  readonly swap: SwappableSite;
  /** Tensors that are read, and what they come from: masks and factors, and of a bias that is handed over factors alone. */
  readonly reads: readonly string[];
  readonly from: Pick<Reach, 'nodes' | 'constants' | 'thresholds' | 'computed' | 'largestStored'>;
}

/**
 * Reads the masks and sizes of sites at lengths beyond the small runs, up to {@link provenTokens}, and in a larger batch: of the model only
 * what masks and sizes are computed from is run, without its weights.
 */
export async function proveLong(
  subject: ProbeSubject,
  probing: Probing,
  sites: ReadonlyMap<number, SwappableSite>,
): Promise<Map<number, LongProof>> {
  const { proto, file, index, runner } = subject;
  const subjects = [...sites].map(([number, swap]): LongSubject => longSubject(index, probing.probed[number]!, swap));
  if (subjects.length === 0) return new Map();
  subject.onStep?.('checking masks and sizes in long runs');
  const keep = new Set<NodeProto>(subjects.flatMap(({ from }) => [...from.nodes]));
  const [dims, longer] = [dimsAt(subject, probing, 1), dimsAt(subject, probing, 2)];
  const opset = opsetOf(proto);
  const skeleton = skeletonOf(index, probing.probed, { keep, opset });
  const placed = new Set([...skeleton.values()].flat());
  const instead = new Map([...skeleton, ...sizesAlone(index, { opset, dims, longer })]);
  const masks = subjects.flatMap(({ reads }) => reads);
  const sources = subjects.flatMap(({ swap: { plan } }) => plan.mask?.tensor ?? []);
  const masked = subjects.filter(readsMask);
  const carried = masked.flatMap(({ candidate: { path } }) => (path === undefined ? [] : [carriedSources(path)]));
  const short = probing.probed[0]!.runs[0]!.seen;
  const thinned = new Set(masks.filter((name) => short.dims(name).length >= 2 && !sources.includes(name)));
  const watching = {
    tensors: [
      ...masks,
      ...sources,
      ...subjects.flatMap(({ probed }) => [...probed.reach.scale.sizes.keys()]),
      ...carried.flatMap(({ values }) => values),
    ],
    sizes: [
      ...subjects.flatMap(({ swap: { plan } }) => viewsOf(plan).map(({ tensor }) => tensor)),
      ...carried.flatMap((each) => each.sizes),
    ],
    nodes: probing.probed.flatMap(({ projected }) => projected.filter((node) => !placed.has(node))),
    alone: { instead, thinned: { tensors: thinned, index, dims } },
  };
  const isStored = subjects.some(({ from }) => from.largestStored >= storedMask);
  const wholeNumbers = subjects.flatMap(({ from }) => [
    ...from.constants,
    ...from.computed.flatMap((name) => fewNumbers(short.tensor(name))),
  ]);
  const thresholds = [...wholeNumbers, ...subjects.flatMap(({ from }) => from.thresholds)];
  const proofs = new Map([...sites.keys()].map((number): [number, LongProof] => [number, { length: undefined }]));
  await usingModel(watchModel(proto, watching, file, runner), async (model) => {
    const masksVary =
      masks.some((name) => short.dims(name).some((size) => size > 1)) || masked.some(({ candidate }) => candidate.declared !== undefined);
    const runsAt = (run: LongRun) => masked.every((each) => fits(each, run));
    const windows = masked.flatMap(({ candidate, swap: { site } }) => (candidate.declared === undefined ? (site.window ?? []) : []));
    // Keys of the longest run in which every row was read.
    const whole = new Map<LongSubject, number>();
    const numbered = [...sites.keys()].map((number, place) => [number, subjects[place]!] as const);
    const onRun = (run: LongRun): void => {
      const readings = new Readings(run);
      for (const [number, each] of numbered) {
        if (run.step === 1) whole.set(each, Math.max(whole.get(each) ?? 0, sizesIn(each, run).keys));
        const known = proofs.get(number)!;
        if (known.problem !== undefined) continue;
        const { length, ...found } = judge(each, run, probing, readings);
        proofs.set(number, { length: Math.max(length, known.length ?? 0), ...found });
      }
    };
    const farthest = { subject, probing, isStored, masksVary, wholeNumbers, thresholds, windows, runsAt, onRun };
    const cutAt = await farthestRuns(model, farthest);
    const beyond = wholeNumbers.find((count) => count > (cutAt ?? Infinity) && count <= mostTokens);
    for (const [number, each] of numbered) {
      const known = proofs.get(number)!;
      const problem = known.problem ?? unreadRows(each, whole.get(each) ?? 0, known.length);
      if (problem !== undefined) proofs.set(number, { ...known, problem });
      if (beyond !== undefined && readsMask(each))
        proofs.set(number, {
          length: cutAt,
          problem: `its mask is computed with ${beyond}, and could be checked up to ${cutAt} tokens only: longer runs need too much time or memory`,
        });
    }
  });
  return proofs;
}

/** Sizes of a model's tensors at a multiple of the first length, as far as they are known. */
function dimsAt({ index, given }: ProbeSubject, { inputs, first }: Probing, times: number): FollowedSizes['dims'] {
  return followSizes(index, named(inputs), guessSizes(inputs, { ...first, length: times * first.length }, given)).dims;
}

/** Whether a site's mask is what runs show, and not handed over as it is. */
function readsMask({ swap: { site } }: Pick<LongSubject, 'swap'>): boolean {
  return site.mask !== 'bias';
}

/** A window that runs show is believed where every row was read in a run beyond its ends, or in one as long as the model allows. */
function unreadRows({ candidate, probed, swap }: LongSubject, read: number, longest = 0): string | undefined {
  const { window } = swap.site;
  if (window === undefined || candidate.declared !== undefined) return undefined;
  const short = probed.runs.map(({ seen }) => seen.tensor(probed.names.key)!.dims[2]!);
  const whole = Math.max(...short, read);
  const wanted = Math.min(wholeWindow(window), Math.max(longest, ...short));
  return whole >= wanted ? undefined : `its mask looks like a window, and could be read whole up to ${whole} tokens only`;
}

function longSubject(index: GraphIndex, probed: Probed, swap: SwappableSite): LongSubject {
  const { candidate, reach } = probed;
  if (readsMask({ swap })) return { candidate, probed, swap, reads: reach.masks, from: reach };
  const reads = candidate.path === undefined ? [] : factorsOf(candidate.path);
  return { candidate, probed, swap, reads, from: walkBack(index, reads) };
}

function fewNumbers(tensor: Tensor | undefined): number[] {
  return tensor === undefined || tensor.data.length > 4 ? [] : [...numbersOf(tensor)].filter(Number.isInteger);
}

function viewsOf({ query, key, value, output }: SitePlan): View[] {
  return [query, key, value, output];
}

/** What masks do in a run; sites that read the same masks share a reading. */
class Readings {
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

function fits(subject: LongSubject, run: LongRun): boolean {
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

function sizesIn({ swap: { plan } }: LongSubject, { seen, step }: LongRun): PairSizes {
  const [batch, heads, queries] = viewedSizes(plan.query, seen.dims(plan.query.tensor));
  const keys = viewedSizes(plan.key, seen.dims(plan.key.tensor))[2];
  const rows = Array.from({ length: Math.ceil(queries / step) }, (_, place) => queries - 1 - place * step);
  return { batch, heads, queries, keys, rows };
}

function judge(subject: LongSubject, run: LongRun, probing: Probing, readings: Readings): LongProof & { readonly length: number } {
  const { candidate, probed, swap } = subject;
  const { site, plan } = swap;
  const [query, key, value, output] = viewsOf(plan).map((view) => viewedSizes(view, run.seen.dims(view.tensor)));
  const { batch, queries, keys } = sizesIn(subject, run);
  const short = probed.runs[0]!.seen;
  const shortBatch = batchOf(probing.inputs, short.feeds);
  const perElement = short.tensor(probed.names.query)!.dims[0]! / shortBatch;
  const elements = run.batch > shortBatch ? ` and ${run.batch} batch elements` : '';
  const wrong = (problem: string) => ({ length: keys, problem: `at ${keys} tokens${elements} ${problem}` });
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
    site.headDim,
  );
  if (unsettled !== undefined) return wrong(unsettled);
  if (softcapIn(candidate, run.seen.tensor) !== site.softcap) return wrong('its soft cap differs from that in short runs');
  const agrees = (scale: number) => Math.abs((scale * operatorScale(candidate, site.headDim)) / site.scale - 1) <= 2e-3;
  if (!readsMask(subject)) {
    const { path } = candidate;
    const factor = path === undefined ? 1 : factorAt(path, (name) => run.seen.tensor(name));
    return factor !== undefined && agrees(factor) ? { length: keys } : wrong('its scale differs from that in short runs');
  }
  const reading = readings.of(subject);
  if (typeof reading === 'string') return wrong(reading);
  if (isBlind(reading)) return run.at.style === 'plain' ? wrong('none of its queries sees a key') : { length: 0 };
  if (reading.problem !== undefined) return wrong(reading.problem);
  if (!agrees(reading.scale)) return wrong('its scale differs from that in short runs');
  const kept = keptKeys(reading, site.window ?? denseSpan(site.causal === true));
  if (kept === undefined)
    return { ...wrong('its mask differs from that in short runs: a window, chunks or a prefix'), window: windowIn([reading]) };
  const values = plan.mask === undefined ? undefined : run.seen.tensor(plan.mask.tensor);
  const keeps = plan.mask === undefined ? new Uint8Array(batch * keys).fill(1) : values && keptBy(values, plan.mask.rule, { batch, keys });
  if (keeps === undefined || keeps.some((keep, slot) => ![keep, unseenKey].includes(kept[slot]!)))
    return wrong('it masks different keys than in short runs');
  return { length: keys };
}
