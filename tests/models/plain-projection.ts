import type { Affine } from './weights.ts';

export type Vector = number[];
/** One vector a token. */
export type Sequence = readonly Vector[];

/** Every state times the matrix, plus the bias. */
export function project({ inputs, outputs, weight, bias }: Affine, states: Sequence): Sequence {
  return states.map((state) => {
    const result = Array.from(bias);
    for (let row = 0; row < inputs; row += 1)
      for (let column = 0; column < outputs; column += 1) result[column]! += state[row]! * weight[row * outputs + column]!;
    return result;
  });
}
