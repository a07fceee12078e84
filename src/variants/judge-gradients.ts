import type { Gradients } from '../contract/adapter.ts';
import type { AttentionInputs } from '../contract/inputs.ts';
import { kvHeadOf } from '../contract/shape.ts';
import type { Shape } from '../contract/shape.ts';
import type { Parameters, Variant } from '../contract/variant.ts';
import { RandomStream } from '../inputs/random.ts';
import { roundToDType } from '../inputs/half-precision.ts';
import { allRows, visitRows } from './reference.ts';
import type { RowAddress } from './reference.ts';

// Gradients are judged by a derivative of the float64 reference along one random direction, in one key/value head and the query heads
// that read it: by central differences, as every variant has rows and none has a backward pass of its own.

interface Named {
  readonly variant: Variant;
  readonly parameters: Parameters;
}

/** What a call forward and backward was given, and gave. */
export interface GivenGradients {
  readonly inputs: AttentionInputs;
  readonly outputGradient: Float32Array;
  readonly gradients: Gradients;
}

/** How gradients stand to the reference. */
export interface GradientJudgement {
  readonly ok: boolean;
  /** |difference of the derivatives| in sizes of a derivative along a random direction: the relative error of a gradient whose errors are random. */
  readonly relative: number;
  readonly budget: number;
  readonly reason?: string;
}

/** Half the step between two evaluations, of a tensor's root mean square. */
const step = 2 ** -16;
/** A row whose selection is decided by less than this share of its largest logit may select otherwise within a step. */
const nearTie = 2 ** -9;
/** Errors of gradients, in budgets of the output: three products follow one another instead of two. */
const outputBudgets = 4;
const tensors = ['query', 'key', 'value'] as const;

/**
 * The gradient with respect to the output that a call forward and backward is given: standard normal, rounded to the dtype,
 * `[batch, heads, queries, headDim]`. In the judged head, rows that a step may make select other keys are 0: there is no derivative.
 */
export function drawOutputGradient(inputs: AttentionInputs, named: Named, seed: number): Float32Array {
  const { shape } = inputs;
  const gradient = new RandomStream(seed, 'gradient/output').fillNormal(new Float32Array(inputs.query.length));
  visitRows(inputs, named, judgedRows(shape, seed), ({ at, row }) => {
    let largest = 1;
    for (let e = 0; e < row.length; e++) largest = Math.max(largest, Math.abs(row.logit[e]!));
    const from = rowStart(shape, at);
    if (row.margin < nearTie * largest) gradient.fill(0, from, from + shape.headDim);
  });
  return roundToDType(gradient, shape.dtype);
}

/** Judges gradients by a derivative along a random direction. `outputBudget` is the relative error that the output may have. */
export function judgeGradients(
  given: GivenGradients,
  named: Named,
  { seed, outputBudget }: { readonly seed: number; readonly outputBudget: number },
): GradientJudgement {
  const budget = outputBudgets * outputBudget + step;
  const broken = tensors.find(
    (name) => given.gradients[name].length !== given.inputs[name].length || !given.gradients[name].every(Number.isFinite),
  );
  if (broken !== undefined) {
    const reason = `the gradient of ${broken} holds ${given.gradients[broken].length} elements, or some that are not finite; expected ${given.inputs[broken].length} finite ones`;
    return { ok: false, relative: Infinity, budget, reason };
  }
  const relative = directionalError(given, named, { seed, moved: tensors });
  if (relative <= budget) return { ok: true, relative, budget };
  const each = tensors.map((name) => `${name} ${directionalError(given, named, { seed, moved: [name] }).toExponential(1)}`);
  const reason = `gradients differ from the reference by ${relative.toExponential(2)}, budget ${budget.toExponential(2)} (${each.join(', ')})`;
  return { ok: false, relative, budget, reason };
}

function directionalError(
  given: GivenGradients,
  named: Named,
  { seed, moved }: { seed: number; moved: ReadonlyArray<(typeof tensors)[number]> },
): number {
  const { inputs, outputGradient, gradients } = given;
  const rows = judgedRows(inputs.shape, seed);
  const [ahead, behind] = [{ ...inputs }, { ...inputs }];
  let expected = 0;
  let size = 0;
  for (const name of moved) {
    const range = judgedRange(inputs.shape, name, seed);
    const both = displaced(inputs[name], range, new RandomStream(seed, `gradient/${name}`));
    [ahead[name], behind[name]] = [both.ahead, both.behind];
    let along = 0;
    let norm = 0;
    let displacement = 0;
    for (let index = range.from; index < range.to; index++) {
      const difference = both.ahead[index]! - both.behind[index]!;
      along += gradients[name][index]! * difference;
      norm += gradients[name][index]! ** 2;
      displacement += difference ** 2;
    }
    expected += along;
    size += (norm * displacement) / (range.to - range.from);
  }
  const found =
    weighed({ ...inputs, ...ahead }, named, rows, outputGradient) - weighed({ ...inputs, ...behind }, named, rows, outputGradient);
  return size === 0 ? Math.abs(found - expected) : Math.abs(found - expected) / Math.sqrt(size);
}

/** Σ output · outputGradient over the rows, in float64. */
function weighed(inputs: AttentionInputs, named: Named, rows: readonly RowAddress[], outputGradient: Float32Array): number {
  let sum = 0;
  visitRows(inputs, named, rows, ({ at, output }) => {
    const from = rowStart(inputs.shape, at);
    for (let m = 0; m < output.length; m++) sum += output[m]! * outputGradient[from + m]!;
  });
  return sum;
}

interface Range {
  readonly from: number;
  readonly to: number;
}

/** Two copies, one step apart on either side within the range. What is added is rounded to f32, so only their difference is exact. */
function displaced(values: Float32Array, { from, to }: Range, stream: RandomStream): { ahead: Float32Array; behind: Float32Array } {
  let square = 0;
  for (let index = from; index < to; index++) square += values[index]! ** 2;
  const length = step * Math.sqrt(square / (to - from));
  const [ahead, behind] = [values.slice(), values.slice()];
  for (let index = from; index < to; index++) {
    const by = length * stream.normal();
    ahead[index]! += by;
    behind[index]! -= by;
  }
  return { ahead, behind };
}

function judgedRows(shape: Shape, seed: number): RowAddress[] {
  const kvHead = seed % shape.kvHeads;
  return allRows({ ...shape, batch: 1 }).filter(({ head }) => kvHeadOf(shape, head) === kvHead);
}

/** Where a tensor of the first batch element holds the judged heads. */
function judgedRange(shape: Shape, name: (typeof tensors)[number], seed: number): Range {
  const kvHead = seed % shape.kvHeads;
  const group = name === 'query' ? shape.heads / shape.kvHeads : 1;
  const size = group * (name === 'query' ? shape.queries : shape.keys) * shape.headDim;
  return { from: kvHead * size, to: (kvHead + 1) * size };
}

function rowStart({ heads, queries, headDim }: Shape, { batch, head, query }: RowAddress): number {
  return ((batch * heads + head) * queries + query) * headDim;
}
