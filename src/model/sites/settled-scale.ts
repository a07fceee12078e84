import type { NodeProto, TensorProto } from 'onnx-buf';
import { TensorProto_DataType as DataType } from 'onnx-buf';
import type { Tensor } from '../../contract/tensor.ts';
import { attributeOf, integerOf, integersOf, nodeName, subgraphsOf } from '../graph/graph-index.ts';
import type { GraphIndex } from '../graph/graph-index.ts';
import { namesFlags } from './input-domains.ts';
import { sidesOf } from './logit-path.ts';
import type { LogitPath } from './logit-path.ts';
import { numbersOf } from './mask-sources.ts';

/** What the factors of a site's logits are computed from. */
export interface ScaleSources {
  /** Tensors that hold sizes picked out of a shape, each with the tensor whose shape it is: runs must show that they are those of the head. */
  readonly sizes: ReadonlyMap<string, string>;
  /** Factors of 0 and 1: runs must show that they are masks, with a value for each key. */
  readonly flags: readonly string[];
  /** Why no run can settle the scale: it follows from a length, or from what an input holds. */
  readonly problem?: string;
}

/** What a factor may be: the same number in every call, 0 and 1, or anything. */
type Kind = 'fixed' | 'flags' | undefined;

/**
 * Walks back from every factor of a site's logits. A scale is believed where it comes from constants and sizes of the head: runs show it at
 * some lengths, and it could begin to grow behind the longest. A factor of 0 and 1 is a mask, and is read as one.
 */
export function scaleSources(index: GraphIndex, path: LogitPath | undefined): ScaleSources {
  if (path === undefined) return { sizes: new Map(), flags: [] };
  const walk = new FactorWalk(index);
  const sides = [
    ...path.keyFactors.map(({ tensor }) => ({ tensor, kinds: ['fixed'] })),
    ...path.before.flatMap((step) => {
      const kinds = settledBy[step.node.opType];
      return kinds === undefined ? [] : sidesOf(step).map((tensor) => ({ tensor, kinds }));
    }),
  ];
  const isSettled = sides.map(({ tensor, kinds }) => kinds.includes(walk.kindOf(tensor) ?? '')).every(Boolean);
  const { sizes, open = 'a mask' } = walk;
  const flags = sides.flatMap(({ tensor }) => (walk.kindOf(tensor) === 'flags' ? [tensor] : []));
  if (isSettled) return { sizes, flags };
  return { sizes, flags, problem: `its scale is computed from ${open} and may change beyond the lengths that were run` };
}

/** What must stand beside logits in the operators that scale or bound them. */
const settledBy: Readonly<Record<string, readonly string[]>> = {
  Mul: ['fixed', 'flags'],
  Div: ['fixed'],
  Clip: ['fixed'],
  Max: ['fixed'],
  Min: ['fixed'],
};

/** Whether a tensor holds the same numbers in every call, at whatever sizes. */
export function isFixed(index: GraphIndex, tensor: string): boolean {
  const walk = new FactorWalk(index);
  return walk.kindOf(tensor) === 'fixed' && walk.sizes.size === 0;
}

/** What runs do not bear out: sizes must be the head dimension, or heads of it, in every run, and flags differ from key to key. */
export function unsettledSize(
  { sizes, flags }: ScaleSources,
  runs: ReadonlyArray<(name: string) => Tensor | undefined>,
  headDim: number,
): string | undefined {
  for (const [name, of] of sizes) {
    const values = runs.map((tensor) => numbersOf(tensor(name)!));
    const isHead = values.every((value) => value.join() === values[0]!.join() && value.every((size) => size > 0 && size % headDim === 0));
    if (!isHead) return `its scale is computed from a size of ${of} that is not its head dimension`;
  }
  const uniform = flags.find((name) => runs[0]!(name)?.data.length === 1);
  return uniform === undefined ? undefined : `its scale is switched by ${uniform}, and may change beyond the lengths that were run`;
}

/** Operators that give booleans. */
export const conditions = new Set([
  'Equal',
  'Greater',
  'GreaterOrEqual',
  'Less',
  'LessOrEqual',
  'And',
  'Or',
  'Not',
  'Xor',
  'IsNaN',
  'IsInf',
]);
/** Operators whose results hold values of their first input alone, wherever they come to lie. */
export const movers = new Set([
  'Identity',
  'Cast',
  'CastLike',
  'Dropout',
  'Squeeze',
  'Unsqueeze',
  'Reshape',
  'Expand',
  'Tile',
  'Transpose',
]);
/** The same, but which of the values is for further inputs to say. */
export const selectors = new Set(['Slice', 'Gather', 'GatherElements', 'GatherND', 'Trilu']);
/** Operators that give 0 or 1 where all that they read is. */
const onFlags = new Set(['Mul', 'Min', 'Max', 'Concat']);

/** Operators that pick sizes out of a shape, and those that hand them on. */
const pickers = ['Gather', 'Slice'];
const onSizes = ['Identity', 'Cast', 'Squeeze', 'Unsqueeze', 'Reshape'];

class FactorWalk {
  readonly sizes = new Map<string, string>();
  /** What decides about a factor, is found first, and is not settled. */
  open: string | undefined;
  readonly #index: GraphIndex;
  readonly #known = new Map<string, Kind>();

  constructor(index: GraphIndex) {
    this.#index = index;
  }

  kindOf(tensor: string): Kind {
    if (!this.#known.has(tensor)) {
      this.#known.set(tensor, undefined);
      this.#known.set(tensor, this.#settle(tensor));
    }
    return this.#known.get(tensor);
  }

  #settle(tensor: string): Kind {
    if (this.#index.isConstant(tensor)) return 'fixed';
    const node = this.#index.producer(tensor);
    if (node === undefined) return isFlagInput(this.#index, tensor) ? 'flags' : this.#leave(`the input ${tensor}`);
    const sized = this.#sizesOf(tensor);
    if (sized !== undefined) {
      this.sizes.set(tensor, sized);
      return 'fixed';
    }
    const { opType } = node;
    const [first = '', ...others] = node.input;
    if (conditions.has(opType) || (opType === 'Cast' && integerOf(node, 'to', 0) === DataType.BOOL)) return 'flags';
    if (opType === 'ConstantOfShape') return 'fixed';
    if (movers.has(opType)) return this.kindOf(first);
    if (selectors.has(opType)) return this.#selected(node);
    const reads = node.input.filter((name) => name !== '');
    if (opType === 'Shape' || opType === 'Size' || reads.length === 0) return this.#leave(`the sizes of ${first}`);
    if (subgraphsOf(node).length === 0 && reads.every((name) => this.kindOf(name) === 'fixed')) return 'fixed';
    const turns = opType === 'Sub' && holdsFlags(this.#index.constant(first)) && this.kindOf(others[0]!) === 'flags';
    const isFlags = (names: readonly string[]) =>
      names.every((name) => this.kindOf(name) === 'flags' || holdsFlags(this.#index.constant(name)));
    if (turns || (onFlags.has(opType) && isFlags(reads)) || (opType === 'Where' && isFlags(others))) return 'flags';
    return this.#leave(`${opType} ${nodeName(node)}`);
  }

  #selected(node: NodeProto): Kind {
    const [first = '', ...others] = node.input;
    const kind = this.kindOf(first);
    if (kind !== 'fixed') return kind;
    if (holdsFlags(this.#index.constant(first)) || this.#index.producer(first)?.opType === 'ConstantOfShape') return 'flags';
    const isFixed = others.every((name) => name === '' || this.kindOf(name) === 'fixed');
    return isFixed ? kind : this.#leave(`${node.opType} ${nodeName(node)}`);
  }

  /** The tensor out of whose shape constant indices pick this one. */
  #sizesOf(tensor: string): string | undefined {
    const node = this.#index.producer(tensor);
    if (node === undefined) return undefined;
    const [first = '', ...others] = node.input;
    if (node.opType === 'Shape') return attributeOf(node, 'start') === undefined ? undefined : first;
    if (![...pickers, ...onSizes].includes(node.opType) || !others.every((name) => name === '' || this.#index.isConstant(name)))
      return undefined;
    const shape = this.#index.producer(first);
    return pickers.includes(node.opType) && shape?.opType === 'Shape' ? shape.input[0]! : this.#sizesOf(first);
  }

  #leave(what: string): undefined {
    this.open ??= what;
    return undefined;
  }
}

/** What the domain of an input that reaches a mask is taken to be: 0 and 1. */
function isFlagInput({ graph }: GraphIndex, tensor: string): boolean {
  const input = graph.input.find(({ name }) => name === tensor);
  const { value } = input?.type ?? {};
  const isBool = value?.case === 'tensorType' && value.value.elemType === DataType.BOOL;
  return input !== undefined && (isBool || namesFlags(tensor));
}

function holdsFlags(tensor: TensorProto | undefined): boolean {
  if (tensor === undefined) return false;
  const { dataType, rawData, floatData } = tensor;
  if (dataType === DataType.BOOL) return true;
  if (dataType === DataType.UINT8) return rawData.every((value) => value <= 1);
  if (dataType !== DataType.FLOAT) return integersOf(tensor)?.every((value) => value === 0 || value === 1) === true;
  const view = new DataView(rawData.buffer, rawData.byteOffset, rawData.byteLength);
  const values = floatData.length > 0 ? floatData : Array.from({ length: rawData.length >> 2 }, (_, at) => view.getFloat32(4 * at, true));
  return values.length > 0 && values.every((value) => value === 0 || value === 1);
}
