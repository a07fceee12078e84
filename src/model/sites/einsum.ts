import type { NodeProto } from 'onnx-buf';
import type { RawView } from './candidate.ts';
import { attributeOf } from '../graph/graph-index.ts';

interface Equation {
  readonly left: string;
  readonly right: string;
  readonly result: string;
}

/** Two four-letter operands and a result, as attention's products have; undefined for any other equation. */
function equationOf(node: NodeProto): Equation | undefined {
  const text = new TextDecoder().decode(attributeOf(node, 'equation')?.s).replaceAll(' ', '');
  const [, left = '', right = '', result = ''] = /^([a-zA-Z]{3,4}),([a-zA-Z]{3,4})->([a-zA-Z]{3,4})$/.exec(text) ?? [];
  const same = left.length === right.length && right.length === result.length;
  return result === '' || !same ? undefined : { left, right, result };
}

/** The axes of `from`, a permutation of `to`'s letters, in the order of `to`. */
function permutation(from: string, to: string): readonly number[] | undefined {
  const perm = to.split('').map((letter) => from.indexOf(letter));
  return perm.includes(-1) || new Set(perm).size !== from.length ? undefined : perm;
}

function view(tensor: string, perm: readonly number[] | undefined): RawView | undefined {
  if (perm === undefined) return undefined;
  return perm.every((axis, position) => axis === position) ? { tensor } : { tensor, perm };
}

/** Queries and keys of an Einsum whose result's last axis are the keys, such as `bhqd,bhkd->bhqk`. */
export function einsumProduct(node: NodeProto): { query: RawView; key: RawView } | undefined {
  const equation = equationOf(node);
  if (equation === undefined) return undefined;
  const { left, right, result } = equation;
  const [lead, queryLetter, keyLetter] = [result.slice(0, -2), result.at(-2)!, result.at(-1)!];
  const contracted = left.split('').find((letter) => right.includes(letter) && !result.includes(letter));
  if (contracted === undefined) return undefined;
  const firstIsQuery = left.includes(queryLetter) && !left.includes(keyLetter);
  const [query, key] = firstIsQuery ? [left, right] : [right, left];
  const [queryTensor = '', keyTensor = ''] = firstIsQuery ? node.input : [...node.input].reverse();
  const queryView = view(queryTensor, permutation(query, `${lead}${queryLetter}${contracted}`));
  const keyView = view(keyTensor, permutation(key, `${lead}${keyLetter}${contracted}`));
  return queryView === undefined || keyView === undefined ? undefined : { query: queryView, key: keyView };
}

/** Values and output of an Einsum that weighs values, such as `bhqk,bhkd->bqhd`. */
export function einsumWeighted(node: NodeProto, weights: string): { value: RawView; output: RawView } | undefined {
  const equation = equationOf(node);
  const at = node.input.indexOf(weights);
  if (equation === undefined || at < 0) return undefined;
  const [mine, other] = at === 0 ? [equation.left, equation.right] : [equation.right, equation.left];
  const [lead, queryLetter, keyLetter] = [mine.slice(0, -2), mine.at(-2)!, mine.at(-1)!];
  const dimension = other.split('').find((letter) => equation.result.includes(letter) && !mine.includes(letter));
  if (dimension === undefined) return undefined;
  const value = view(node.input[1 - at]!, permutation(other, `${lead}${keyLetter}${dimension}`));
  const output = view(node.output[0]!, permutation(equation.result, `${lead}${queryLetter}${dimension}`));
  return value === undefined || output === undefined ? undefined : { value, output };
}
