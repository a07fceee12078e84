import { TensorProto_DataType as DataType } from 'onnx-buf';
import { attributeOf, integerOf } from '../graph/graph-index.ts';
import type { GraphIndex } from '../graph/graph-index.ts';
import type { Domains } from './input-domains.ts';
import type { MaskRule } from './mask-sources.ts';
import { maskedBelow } from './read-masks.ts';
import { conditions, movers, selectors } from './settled-scale.ts';
import { numbersIn } from './stored-numbers.ts';

/** Numbers of a set, at most. */
const mostValues = 16;

const flags = [0, 1];
const ofOne: Readonly<Record<string, (value: number) => number>> = { Neg: (value) => -value, Log: Math.log };
const ofTwo: Readonly<Record<string, (one: number, other: number) => number>> = {
  Add: (one, other) => one + other,
  Sub: (one, other) => one - other,
  Mul: (one, other) => one * other,
  Div: (one, other) => one / other,
  Min: Math.min,
  Max: Math.max,
};
/** Operators whose results hold numbers of some of their inputs, from the first that is given on. */
const ofAny: Readonly<Record<string, number>> = { Where: 1, Concat: 0 };
const reducing = new Set(['ReduceMax', 'ReduceMin']);

/**
 * Follows the few numbers that a tensor may hold whatever the model's inputs do: a mask with a number for each key that is 0, or masks, says no
 * more than that. Of any other, runs show what came of the inputs that were drawn: others could bias a key a little.
 */
export class FewValues {
  readonly #index: GraphIndex;
  readonly #domains: Domains;
  readonly #known = new Map<string, readonly number[] | undefined>();

  constructor(index: GraphIndex, domains: Domains) {
    this.#index = index;
    this.#domains = domains;
  }

  /** Whether a rule says all that a tensor says. */
  isSaidBy(rule: MaskRule, tensor: string): boolean {
    const values = this.#of(tensor);
    if (values === undefined) return false;
    if (rule === 'additive') return values.every((value) => value === 0 || value < maskedBelow);
    return values.filter((value) => value !== 0).length <= 1;
  }

  /** Undefined where they are many, or not known. */
  #of(tensor: string): readonly number[] | undefined {
    if (!this.#known.has(tensor)) {
      this.#known.set(tensor, undefined);
      this.#known.set(tensor, fewOf(this.#settle(tensor)));
    }
    return this.#known.get(tensor);
  }

  #settle(tensor: string): Iterable<number> | undefined {
    const constant = this.#index.constant(tensor);
    if (constant !== undefined) return numbersIn(constant);
    const node = this.#index.producer(tensor);
    if (node === undefined) return this.#domains[tensor]?.kind === 'flags' ? flags : undefined;
    const { opType, input } = node;
    if (conditions.has(opType) || (opType === 'Cast' && integerOf(node, 'to', 0) === DataType.BOOL)) return flags;
    if (opType === 'ConstantOfShape') {
      const value = attributeOf(node, 'value')?.t;
      return value === undefined ? [0] : numbersIn(value);
    }
    if (opType === 'Trilu') return this.#union([0], this.#of(input[0]!));
    if (opType.startsWith('Scatter') && attributeOf(node, 'reduction') === undefined)
      return this.#union(this.#of(input[0]!), this.#of(input[2]!));
    if (movers.has(opType) || selectors.has(opType) || reducing.has(opType)) return this.#of(input[0]!);
    const combine = ofTwo[opType];
    if (ofAny[opType] === undefined && ofOne[opType] === undefined && combine === undefined) return undefined;
    const [first, ...others] = input.slice(ofAny[opType] ?? 0).map((name) => this.#of(name));
    if (ofAny[opType] !== undefined) return others.reduce((all, values) => this.#union(all, values), first);
    if (ofOne[opType] !== undefined) return first?.map(ofOne[opType]);
    if (combine === undefined) return undefined;
    return others.reduce((all, values) => values && fewOf(all?.flatMap((one) => values.map((other) => combine(one, other)))), first);
  }

  #union(one: readonly number[] | undefined, other: readonly number[] | undefined): readonly number[] | undefined {
    return one && other && [...one, ...other];
  }
}

/** The numbers that there are; undefined where they are too many, or none. */
function fewOf(numbers: Iterable<number> | undefined): readonly number[] | undefined {
  const found = new Set<number>();
  for (const number of numbers ?? []) if (found.add(number).size > mostValues) return undefined;
  return found.size === 0 ? undefined : [...found];
}
