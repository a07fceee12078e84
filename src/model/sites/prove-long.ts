import type { NodeProto } from 'onnx-buf';
import type { Span } from '../../contract/span.ts';
import type { Tensor } from '../../contract/tensor.ts';
import { factorsOf } from './factors.ts';
import { carriedSources } from './carried-sizes.ts';
import { allowedLength, farRuns, farthestKeys } from './far-runs.ts';
import { fits, judge, judgeMask, Readings, readsMask, sizesIn, viewsOf } from './judge-long.ts';
import type { LongProof, LongSubject } from './judge-long.ts';
import type { PairSizes } from './read-masks.ts';
import { farthestRuns, mostTokens, provenTokens, wholeRows, wholeWindow, wholeWindows } from './long-runs.ts';
import type { LongRun } from './long-runs.ts';
import { numbersOf } from './mask-sources.ts';
import { opsetOf } from '../graph/graph-index.ts';
import type { GraphIndex } from '../graph/graph-index.ts';
import { usingModel } from '../file/open-proto.ts';
import type { Probing, ProbeSubject } from './probe-candidates.ts';
import { followSizes } from '../fit/follow-sizes.ts';
import type { FollowedSizes } from '../fit/follow-sizes.ts';
import { batchOf, guessSizes, named } from './probe-inputs.ts';
import type { SwappableSite } from './site.ts';
import { sizesAlone } from './sizes-alone.ts';
import { skeletonOf } from './skeleton.ts';
import { storedIntegers } from './stored-numbers.ts';
import { walkBack } from './value-reach.ts';
import { watchModel } from './watch.ts';

/** From here on exporters mean the last of all, and do not count tokens. */
const mostCounted = 1e6;
/** Elements from which on a stored tensor may hold a mask. */
const storedMask = 257;

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
  const subjects = [...sites].map(([number, swap]): LongSubject => longSubject(index, probing, { number, swap }));
  if (subjects.length === 0) return new Map();
  subject.onStep?.('checking masks and sizes in long runs');
  const keep = new Set<NodeProto>(subjects.flatMap(({ from }) => [...from.nodes]));
  const [dims, longer] = [dimsAt(subject, probing, 1), dimsAt(subject, probing, 2)];
  const opset = opsetOf(proto);
  const skeleton = skeletonOf(index, probing.probed, { keep, opset, dims });
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
    // Keys of the longest run in which every row was read, and what was read in farther ones.
    const [whole, far] = [new Map<LongSubject, number>(), new Map<LongSubject, FarRead>()];
    const numbered = [...sites.keys()].map((number, place) => [number, subjects[place]!] as const);
    const onRun = (run: LongRun): void => {
      const readings = new Readings(run);
      for (const [number, each] of numbered) {
        if (run.step === 1) whole.set(each, Math.max(whole.get(each) ?? 0, sizesIn(each, run).keys));
        const known = proofs.get(number)!;
        if (known.problem !== undefined) continue;
        const { length, ...found } = judge(each, run, readings);
        proofs.set(number, { length: Math.max(length, known.length ?? 0), ...found });
      }
    };
    const long = { subject, probing, isStored, masksVary, wholeNumbers, thresholds, windows, runsAt, onRun };
    const cutAt = await farthestRuns(model, long);
    const onFarRun = (run: LongRun): void => {
      const readings = new Readings(run);
      for (const [number, each] of numbered) {
        const known = proofs.get(number)!;
        if (!mayReachFar(each, known) || !fits(each, run)) continue;
        const found = judgeMask(each, run, readings);
        if (found.problem === undefined) far.set(each, withRun(far.get(each), sizesIn(each, run)));
        else proofs.set(number, { ...found, length: known.length });
      }
    };
    const reaching = numbered.filter(([number, each]) => mayReachFar(each, proofs.get(number)!)).map(([, each]) => each);
    const farthest = farLength(reaching);
    const proven = Math.min(...[...proofs.values()].map(({ length: known = 0 }) => known).filter((known) => known >= provenTokens));
    const length = farthest && allowedLength({ subject, probing }, { wanted: farthest, proven });
    const rows = new Map(numbered.map(([, each]) => [each, namedRows(each, whole.get(each) ?? 0)]));
    if (length !== undefined) {
      const wanted = reaching.flatMap((each) => rows.get(each)!);
      await farRuns({ subject, probing, ...farReads(reaching, thinned), rows: wanted, length, onRun: onFarRun });
    }
    const beyond = wholeNumbers.find((count) => count > (cutAt ?? Infinity) && count <= mostTokens);
    for (const [number, each] of numbered) {
      const known = proofs.get(number)!;
      const rowsRead = { read: whole.get(each) ?? 0, longest: known.length ?? 0, far: far.get(each), length, rows: rows.get(each)! };
      const problem = known.problem ?? unreadRows(each, rowsRead) ?? unreachedNumber(index, each, known);
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

/** Whether a site's mask may change beyond its long runs: the model takes as many tokens as were wanted, and no operator says what it is. */
function mayReachFar(each: LongSubject, { problem, length = 0 }: LongProof): boolean {
  return readsMask(each) && each.candidate.declared === undefined && problem === undefined && length >= provenTokens;
}

/** Tokens in which the longest window shows that a mask is, or may be by the whole numbers in it; undefined where long runs show all. */
function farLength(subjects: readonly LongSubject[]): number | undefined {
  const counted = subjects.flatMap(({ from }) => from.integers.map((count) => ({ left: Math.abs(count), right: 0 })));
  const shown = subjects.flatMap(({ swap: { site } }) => site.window ?? []);
  const lengths = (windows: readonly Span[], beyond: number) =>
    windows
      .filter(({ left, right }) => Math.max(left, right) <= farthestKeys)
      .map(wholeWindow)
      .filter((length) => length > beyond);
  const all = [...lengths(counted, mostTokens), ...lengths(shown, wholeWindows)];
  return all.length === 0 ? undefined : Math.max(...all);
}

function farReads(subjects: readonly LongSubject[], thinned: ReadonlySet<string>) {
  const reads = subjects.flatMap((each) => each.reads);
  const carried = subjects.map(({ candidate: { path } }) => carriedSources(path!));
  const sources = subjects.flatMap(({ swap: { plan } }) => plan.mask?.tensor ?? []);
  return {
    tensors: [...reads, ...carried.flatMap(({ values }) => values), ...sources],
    thinned: new Set(reads.filter((name) => thinned.has(name))),
    sizes: [...subjects.flatMap(({ swap: { plan } }) => [plan.query.tensor, plan.key.tensor]), ...carried.flatMap(({ sizes }) => sizes)],
  };
}

/** Rows that a whole number in a mask may single out, but for those that a run of so many keys shows whole, with keys beyond what they see. */
function namedRows({ from, swap: { site } }: LongSubject, whole: number): number[] {
  const shown = site.window === undefined ? wholeRows : whole - site.window.right - 1;
  return [...new Set(from.integers.map(Math.abs))].filter((row) => row > 0 && row >= shown && row <= farthestKeys);
}

/** What far runs read of a mask. */
interface FarRead {
  /** In the shortest of them. */
  readonly keys: number;
  readonly rows: ReadonlySet<number>;
}

function withRun(known: FarRead | undefined, { keys, rows = [] }: PairSizes): FarRead {
  return { keys: Math.min(keys, known?.keys ?? keys), rows: new Set([...(known?.rows ?? []), ...rows]) };
}

interface RowsRead {
  /** Keys of the longest run in which every row was read, and of the longest one at all. */
  readonly read: number;
  readonly longest: number;
  readonly far: FarRead | undefined;
  /** Tokens of far runs, at least. */
  readonly length: number | undefined;
  /** Rows that must be among those of far runs. */
  readonly rows: readonly number[];
}

/**
 * A window that runs show is believed where every row was read in a run beyond its ends, or in one as long as the model allows; a long one where
 * rows spread over all of such a run were, and each that a whole number in the mask may single out.
 */
function unreadRows(
  { candidate, probed, swap }: LongSubject,
  { read, longest, far, length = Infinity, rows }: RowsRead,
): string | undefined {
  const { window } = swap.site;
  if (window === undefined || candidate.declared !== undefined) return undefined;
  const short = probed.runs.map(({ seen }) => seen.tensor(probed.names.key)!.dims[2]!);
  const whole = Math.max(...short, read);
  const wanted = wholeWindow(window);
  if (whole >= Math.min(wanted, Math.max(longest, ...short))) return undefined;
  if (wanted <= wholeWindows || far === undefined || far.keys < Math.min(wanted, length))
    return `its mask looks like a window, and could be read whole up to ${whole} tokens only`;
  const unread = rows.find((row) => row < far.keys && !far.rows.has(row));
  return unread === undefined ? undefined : `its mask looks like a window, and is computed with ${unread}: that row could not be read`;
}

/** A whole number beyond all runs with which a mask may begin to change. Ids are compared with such numbers, too. */
function unreachedNumber(index: GraphIndex, each: LongSubject, known: LongProof): string | undefined {
  const { reach, domains } = each.probed;
  if (!mayReachFar(each, known)) return undefined;
  const isIds = (name: string) => domains[name]?.kind === 'ids';
  const beyond = (counts: readonly number[]) => counts.map(Math.abs).find((count) => count > farthestKeys && count < mostCounted);
  const storedIn = ({ input }: NodeProto) =>
    input.flatMap((name) => {
      const stored = index.constant(name);
      return stored === undefined ? [] : storedIntegers(stored);
    });
  const apart = [...each.from.nodes].filter(
    (node) => beyond(storedIn(node)) !== undefined && ![...walkBack(index, node.input).inputs].some(isIds),
  );
  const number = beyond([...reach.inputs].some(isIds) ? apart.flatMap(storedIn) : each.from.integers);
  return number === undefined ? undefined : `its mask is computed with ${number}, and runs reach ${farthestKeys} tokens only`;
}

function longSubject(
  index: GraphIndex,
  { inputs, probed: all }: Probing,
  { number, swap }: { readonly number: number; readonly swap: SwappableSite },
): LongSubject {
  const probed = all[number]!;
  const { candidate, reach } = probed;
  const shortBatch = batchOf(inputs, probed.runs[0]!.seen.feeds);
  if (readsMask({ swap })) return { candidate, probed, swap, shortBatch, reads: reach.masks, from: reach };
  const reads = candidate.path === undefined ? [] : factorsOf(candidate.path);
  return { candidate, probed, swap, shortBatch, reads, from: walkBack(index, reads) };
}

function fewNumbers(tensor: Tensor | undefined): number[] {
  return tensor === undefined || tensor.data.length > 4 ? [] : [...numbersOf(tensor)].filter(Number.isInteger);
}
