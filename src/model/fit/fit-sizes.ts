import type { ModelInput } from '../../contract/adapter.ts';
import type { DimensionSizes } from '../../inputs/model-inputs.ts';
import type { GraphIndex } from '../graph/graph-index.ts';
import { followSizes } from './follow-sizes.ts';
import type { FollowedSizes } from './follow-sizes.ts';
import type { Size } from './size.ts';
import type { SizeConflict } from './tensor-sizes.ts';

/** A model whose dynamic dimensions are to be given sizes that it runs at. */
export interface Fitting {
  readonly index: GraphIndex;
  /** With a name for every dynamic dimension. */
  readonly inputs: readonly ModelInput[];
  /** Sizes by a length, with what is fixed. */
  readonly sizesAt: (length: number, fixed: DimensionSizes) => DimensionSizes;
  /** Lengths to choose from, the shortest first. */
  readonly lengths: readonly number[];
  /** Dimensions whose sizes the user gave. */
  readonly given: DimensionSizes;
}

/** Sizes that a graph asks for, as far as its operators tell without being run. */
export interface Fit {
  /** Of dimensions that must have one size. */
  readonly fixed: DimensionSizes;
  /** What the graph gives at a length. */
  readonly at: (length: number) => FollowedSizes;
}

/** Dimensions that a graph is thought to fix. */
const mostFixed = 16;

/**
 * Sizes of a model's dynamic dimensions that none of its operators refuses: where all lengths meet a conflict, a dimension is fixed so that it
 * is resolved (channels of images by the convolution's weights, a batch of 1 by a reshape), until one length suits.
 */
export function fitSizes(fitting: Fitting): Fit {
  let fit = fitWith(fitting, {});
  for (let round = 0; round < mostFixed; round++) {
    if (fitting.lengths.some((length) => fit.at(length).conflict === undefined)) return fit;
    const solved = firstSolution(fitting, fit);
    if (solved === undefined) return fit;
    fit = fitWith(fitting, { ...fit.fixed, ...solved });
  }
  return fit;
}

function fitWith({ index, inputs, sizesAt }: Fitting, fixed: DimensionSizes): Fit {
  const known = new Map<number, FollowedSizes>();
  const at = (length: number) => {
    const followed = known.get(length) ?? followSizes(index, inputs, sizesAt(length, fixed));
    known.set(length, followed);
    return followed;
  };
  return { fixed, at };
}

function firstSolution(fitting: Fitting, { fixed, at }: Fit): DimensionSizes | undefined {
  for (const length of fitting.lengths) {
    const { conflict } = at(length);
    const solved = conflict && resolve(fitting, conflict, { sizes: fitting.sizesAt(length, fixed), fixed });
    if (solved !== undefined) return solved;
  }
  return undefined;
}

/** Sizes that are tried of one dimension: thirty seconds of sound have 480 000 samples. */
const mostTried = 2 ** 19;
const mostSteps = 2 ** 23;

/** The size of one dimension, or of the height and width of an image, that resolves a conflict. */
function resolve(
  { inputs, given }: Fitting,
  { left, right }: SizeConflict,
  { sizes, fixed }: { sizes: DimensionSizes; fixed: DimensionSizes },
): DimensionSizes | undefined {
  if (right === undefined) return undefined;
  const isFree = (name: string) => given[name] === undefined && fixed[name] === undefined;
  const names = [...new Set([...left.names, ...right.names])].filter(isFree);
  const images = inputs.filter(({ dims }) => dims.length > 3).map(({ dims }) => [...new Set(dims.slice(-2) as string[])]);
  const together = images.filter((axes) => axes.length === 2 && axes.every((name) => names.includes(name)));
  for (const group of [...together, ...names.map((name) => [name])]) {
    const size = solve({ left, right }, group, sizes);
    if (size !== undefined) return Object.fromEntries(group.map((name) => [name, size]));
  }
  return undefined;
}

/** The roundest of the smallest sizes of some dimensions at which two sizes agree. */
function solve({ left, right }: { left: Size; right: Size }, names: readonly string[], sizes: DimensionSizes): number | undefined {
  const agrees = (size: number) => {
    const tried = { ...sizes, ...Object.fromEntries(names.map((name) => [name, size])) };
    const [one, other] = [left.at(tried), right.at(tried)];
    return one === other && one > 0;
  };
  const most = Math.min(mostTried, mostSteps / (left.steps + right.steps));
  for (let size = 1; size <= most; size++) {
    if (!agrees(size)) continue;
    let end = size;
    while (end < 2 * size && agrees(end + 1)) end++;
    return roundest(size, end);
  }
  return undefined;
}

/** Of the whole numbers from one to another, the multiple of the largest power of two. */
function roundest(low: number, high: number): number {
  let step = 1;
  while (Math.ceil(low / (2 * step)) * 2 * step <= high) step *= 2;
  return Math.ceil(low / step) * step;
}
