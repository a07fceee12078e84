import type { Tensor } from '../../contract/tensor.ts';
import { sidesOf } from './logit-path.ts';
import type { LogitPath, PathStep } from './logit-path.ts';
import { numbersOf } from './mask-sources.ts';

const isFactor = ({ node }: PathStep): boolean => node.opType === 'Mul' || node.opType === 'Div';

/** Tensors that multiply or divide logits on a path. */
export function factorsOf({ before, keyFactors }: LogitPath): string[] {
  return [...before.filter(isFactor).flatMap(sidesOf), ...keyFactors.map(({ tensor }) => tensor)];
}

/** By which steps multiply what they carry, where every factor is one number; undefined where one is not. */
export function factorOf(steps: readonly PathStep[], tensor: (name: string) => Tensor | undefined): number | undefined {
  return productOf(
    steps.filter(isFactor).map((step) => ({ tensor: sidesOf(step)[0]!, divides: step.node.opType === 'Div' })),
    tensor,
  );
}

/** By which a path multiplies its products, where every factor is one number; undefined where one is not. */
export function factorAt({ factor, before, keyFactors }: LogitPath, tensor: (name: string) => Tensor | undefined): number | undefined {
  const [ofSteps, ofKeys] = [factorOf(before, tensor), productOf(keyFactors, tensor)];
  return ofSteps === undefined || ofKeys === undefined ? undefined : factor * ofSteps * ofKeys;
}

function productOf(
  factors: ReadonlyArray<{ readonly tensor: string; readonly divides: boolean }>,
  tensor: (name: string) => Tensor | undefined,
): number | undefined {
  let result = 1;
  for (const { tensor: name, divides } of factors) {
    const values = tensor(name);
    if (values?.data.length !== 1) return undefined;
    const [value = Number.NaN] = numbersOf(values);
    result = divides ? result / value : result * value;
  }
  return result;
}
