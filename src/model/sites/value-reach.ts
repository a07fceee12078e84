import type { NodeProto } from 'onnx-buf';
import type { Candidate } from './candidate.ts';
import { attributeOf, integerOf, nodeName, readsBehind, readsOf, subgraphsOf } from '../graph/graph-index.ts';
import type { GraphIndex } from '../graph/graph-index.ts';
import { pathSides, reshapes, sidesOf } from './logit-path.ts';
import type { LogitPath } from './logit-path.ts';
import { isFixed, scaleSources } from './settled-scale.ts';
import type { ScaleSources } from './settled-scale.ts';
import { sizeReads, sizesOnly } from './size-reads.ts';
import { elementsOf, fewNumbers, isStoredApart, storedIntegers, wholeNumbers } from './stored-numbers.ts';

/** What decides about a site's mask, scale and bias. */
export interface Reach {
  /** Tensors that meet its logits, or its weights, and what a fused operator reads beside queries, keys and values. */
  readonly masks: readonly string[];
  /** Inputs of the model whose values reach them. What only gives a size is none. */
  readonly inputs: ReadonlySet<string>;
  /** Nodes on the way. */
  readonly nodes: ReadonlySet<NodeProto>;
  /** Whole numbers that the nodes on the way compare or compute with. */
  readonly constants: readonly number[];
  /** Those of them that are stored as such, which may count tokens. */
  readonly integers: readonly number[];
  /** Lengths that they may be compared with: constants as they are, and through the products, quotients and logarithms on the way. */
  readonly thresholds: readonly number[];
  /** Tensors on the way that are the same in every run, and not stored. */
  readonly computed: readonly string[];
  /** Rows of the largest stored table that is read by an index on the way. */
  readonly tableSize: number;
  /** Elements of the largest stored tensor on the way. */
  readonly largestStored: number;
  /** What its factors come from. */
  readonly scale: ScaleSources;
  /** Tensors on the way that are computed from the sizes of its logits, by name, with the nodes that give them. */
  readonly bySizes: ReadonlyMap<string, NodeProto>;
  /** Why what meets its logits does not come to a scale and a bias, as far as the graph says: see {@link nonlinearity}. */
  readonly nonlinear?: string;
  /** Inputs of the model whose values reach them otherwise than through a tensor. */
  readonly around: (source: string) => ReadonlySet<string>;
  /** Why no run can settle what it does: random numbers, or a condition on its own logits. */
  readonly unsettled?: string;
}

/** Operators that draw random numbers. */
export const random: ReadonlySet<string> = new Set(
  'RandomNormal RandomNormalLike RandomUniform RandomUniformLike Bernoulli Multinomial'.split(' '),
);

/**
 * Walks back from what meets a candidate's logits and weights to the model's inputs and constants.
 * @param sized see {@link sizedByValue}
 * @param defaults see {@link replaceableDefaults}
 */
export function reachOf(index: GraphIndex, candidate: Candidate, sized: ReadonlySet<string>, defaults: ReadonlySet<string>): Reach {
  const { path, declared } = candidate;
  const masks = path === undefined ? declared!.masks.map(({ tensor }) => tensor) : pathSides(path);
  const shapes = path?.before.filter(({ node }) => node.opType === 'Reshape').flatMap(sidesOf) ?? [];
  const steps = path === undefined ? [] : [...path.before, ...path.after];
  const own = new Set(
    path === undefined ? [] : [path.product.output[0]!, candidate.anchor.output[0]!, ...steps.map(({ node }) => node.output[0]!)],
  );
  const from = [...masks, ...shapes];
  const walked = walkBack(index, from, { own, sized, defaults });
  const around = (source: string) =>
    walkBack(
      index,
      from.filter((name) => name !== source),
      { own, sized, source },
    ).inputs;
  const bySizes = sizedBy(index, walked.nodes, own);
  const scale = scaleSources(index, path);
  const nonlinear = typeof bySizes === 'string' ? bySizes : (scale.problem ?? (path && nonlinearity(index, path, sized)));
  return {
    ...{ masks, ...walked, scale, around, bySizes: typeof bySizes === 'string' ? new Map() : bySizes },
    ...(nonlinear !== undefined && { nonlinear }),
  };
}

/** Operators that hand logits on as they are, however they lie; and a soft cap, which is told apart. */
const plain = new Set([...reshapes, 'Cast', 'Identity', 'Dropout', 'Tanh']);

/**
 * Why a path's logits are not scale · product + bias for every product: its operators and what decides about their factors. Undefined where
 * they are, as far as the graph says: see `biasFault` for what runs say.
 */
function nonlinearity(index: GraphIndex, { before, after }: LogitPath, sized: ReadonlySet<string>): string | undefined {
  for (const step of before) {
    const { node, carried } = step;
    if (plain.has(node.opType) || node.opType === 'Add' || (node.opType === 'Sub' && carried === 0)) continue;
    if (!settledSides.has(node.opType)) return `its logits pass through ${node.opType} ${nodeName(node)}`;
    const sides = node.opType === 'Where' ? node.input.filter((_, at) => at !== carried && at > 0) : sidesOf(step);
    const [input] = walkBack(index, sides, { sized }).inputs;
    if (input !== undefined) return `${input} decides about ${node.opType} ${nodeName(node)}, which its logits pass through`;
    if (node.opType === 'Where' && !sides.every((name) => isFixed(index, name)))
      return `what Where ${nodeName(node)} puts in the place of logits may change beyond the lengths that were run`;
  }
  const change = after.find((step) => !plain.has(step.node.opType));
  return change && `its weights pass through ${change.node.opType} ${nodeName(change.node)}`;
}

/** Operators that keep logits linear in the product if what stands beside them is settled. */
const settledSides = new Set(['Mul', 'Div', 'Where', 'Max', 'Clip']);

/** What is computed from the sizes of a path's own tensors; why it cannot be told, as a string. */
function sizedBy(index: GraphIndex, nodes: ReadonlySet<NodeProto>, own: ReadonlySet<string>): Map<string, NodeProto> | string {
  const found = new Map<string, NodeProto>();
  for (const node of index.graph.node) {
    if (!nodes.has(node)) continue;
    const reads = [...readsOf(node)];
    const depends = sizesOnly.has(node.opType) ? own.has(node.input[0]!) : reads.some((name) => found.has(name));
    if (!depends) continue;
    if (node.opType === 'EyeLike' || subgraphsOf(node).length > 0)
      return `what meets its logits is computed from their sizes by ${node.opType} ${nodeName(node)}`;
    for (const name of node.output) found.set(name, node);
  }
  return found;
}

/** How far a walk goes. */
interface Walk {
  /** What a site's path carries. */
  readonly own?: ReadonlySet<string>;
  /** Tensors whose sizes follow from values. */
  readonly sized?: ReadonlySet<string>;
  /** Constants that a caller may replace. */
  readonly defaults?: ReadonlySet<string>;
  /** Where the walk ends. */
  readonly source?: string;
}

/** What decides about some tensors by value. */
export type Walked = Omit<Reach, 'masks' | 'scale' | 'bySizes' | 'nonlinear' | 'around'>;

export function walkBack(index: GraphIndex, from: readonly string[], walk: Walk = {}): Walked {
  const { own = new Set(), sized = new Set(), defaults, source } = walk;
  const modelInputs = new Set(index.graph.input.map(({ name }) => name));
  const seen = new Set(from);
  const nodes = new Set<NodeProto>();
  const inputs = new Set<string>();
  const constants = new Set<number>();
  const integers = new Set<number>();
  const numbers = new Set<number>();
  let largestStored = 0;
  let tableSize = 0;
  let unsettled: string | undefined;
  // A set is walked in the order of insertion, what is added on the way included.
  for (const tensor of seen) {
    if (own.has(tensor)) unsettled ??= `its mask or bias is computed from its logits (${tensor})`;
    const constant = index.constant(tensor);
    if (constant !== undefined) {
      for (const number of fewNumbers(constant)) numbers.add(number);
      for (const number of wholeNumbers(constant)) constants.add(number);
      for (const number of storedIntegers(constant)) integers.add(number);
      if (defaults?.has(tensor) === true) unsettled ??= `${tensor} reaches its mask, and its default may be replaced`;
      largestStored = Math.max(largestStored, elementsOf(constant));
    }
    const node = index.producer(tensor);
    if (node === undefined) {
      if (modelInputs.has(tensor) && constant === undefined) inputs.add(tensor);
      continue;
    }
    nodes.add(node);
    if (node.opType === 'Gather')
      tableSize = Math.max(tableSize, Number(index.constant(node.input[0]!)?.dims[integerOf(node, 'axis', 0)] ?? 0));
    if (isRandom(node)) unsettled ??= `its mask or bias is random (${node.opType} ${nodeName(node)})`;
    for (const number of constantsWithin(node)) constants.add(number);
    for (const { f } of node.attribute) numbers.add(f);
    const reads = sizesOnly.has(node.opType) ? sizersOf(index, node.input[0]!, sized) : readsBehind(node, tensor);
    for (const name of reads) if (name !== source) seen.add(name);
  }
  return {
    inputs,
    nodes,
    constants: [...constants],
    integers: [...integers],
    thresholds: thresholdsOf(index, [...new Set([...numbers, ...constants])], nodes),
    computed: [...seen].filter((name) =>
      index.constant(name) === undefined ? index.isConstant(name) : isStoredApart(index.constant(name)!),
    ),
    largestStored,
    tableSize,
    ...(unsettled !== undefined && { unsettled }),
  };
}

/** What says by its values how large a tensor is. */
function sizersOf(index: GraphIndex, tensor: string, sized: ReadonlySet<string>): string[] {
  const walked = new Set([tensor]);
  const found: string[] = [];
  for (const name of walked) {
    const node = sized.has(name) ? index.producer(name) : undefined;
    if (node === undefined) continue;
    const { values, sizes } = sizeReads(node);
    found.push(...values);
    for (const each of sizes) walked.add(each);
  }
  return found;
}

function isRandom(node: NodeProto): boolean {
  return random.has(node.opType) || subgraphsOf(node).some((graph) => graph.node.some(isRandom));
}

function constantsWithin(node: NodeProto): number[] {
  return subgraphsOf(node).flatMap((graph) => [
    ...graph.initializer.flatMap(wholeNumbers),
    ...graph.node.flatMap((inner) => [...wholeNumbers(attributeOf(inner, 'value')?.t), ...constantsWithin(inner)]),
  ]);
}

/** Lengths at which something may change that is computed with some numbers. */
function thresholdsOf(index: GraphIndex, numbers: readonly number[], nodes: ReadonlySet<NodeProto>): number[] {
  const sizes = numbers.map(Math.abs).filter((size) => size > 0 && Number.isFinite(size));
  const scales = [...nodes].flatMap(({ opType, input }) => {
    const factors = input.flatMap((name) => fewNumbers(index.constant(name))).map(Math.abs);
    return opType === 'Div' ? factors : opType === 'Mul' ? factors.map((factor) => 1 / factor) : [];
  });
  const has = (name: string) => [...nodes].some(({ opType }) => opType === name);
  return [
    ...sizes,
    ...sizes.flatMap((size) => scales.map((scale) => size * scale)),
    ...(has('Log') ? sizes.map(Math.exp) : []),
    ...(has('Sqrt') ? sizes.map((size) => size ** 2) : []),
  ];
}
