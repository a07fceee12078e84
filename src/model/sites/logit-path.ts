import type { NodeProto } from 'onnx-buf';
import type { Tensor } from '../../contract/tensor.ts';
import { attributeOf } from '../graph/graph-index.ts';
import { numbersOf } from './mask-sources.ts';

/** One operator that hands logits, or weights, on: its other inputs meet them there. */
export interface PathStep {
  readonly node: NodeProto;
  /** Which of its inputs carries them. */
  readonly carried: number;
}

/** A factor of the keys that the product reads and the key view leaves out. */
export interface KeyFactor {
  readonly tensor: string;
  /** Whether keys are divided by it. */
  readonly divides: boolean;
}

/** What happens between the product of queries and keys and the product of weights and values. */
export interface LogitPath {
  /** The operator that multiplies queries and keys. */
  readonly product: NodeProto;
  /** By which the product's own operator multiplies. */
  readonly factor: number;
  readonly keyFactors: readonly KeyFactor[];
  /** From the product to the softmax. */
  readonly before: readonly PathStep[];
  /** From the softmax to the values, without what only takes NaN out of rows that see no key. */
  readonly after: readonly PathStep[];
}

/** The other inputs of a step. */
export function sidesOf({ node, carried }: PathStep): string[] {
  return node.input.filter((name, at) => at !== carried && name !== '');
}

/** Operators that change how logits lie and not what they are. */
export const reshapes = new Set(['Reshape', 'Squeeze', 'Unsqueeze']);

/** Everything that a path reads beside the product. */
export function pathSides({ before, after, keyFactors }: LogitPath): string[] {
  const values = [...before, ...after].filter(({ node }) => !reshapes.has(node.opType));
  return [...new Set([...values.flatMap(sidesOf), ...keyFactors.map(({ tensor }) => tensor)])];
}

/** Changes a row of logits, or of weights, in place, by the leading axes as one and the row. */
export type LogitRule = (lead: number, row: number, values: Float64Array) => void;

/** What a rule is read from: tensors of a run, and the sizes of what the path carries behind each step. */
export interface PathRun {
  readonly tensor: (name: string) => Tensor | undefined;
  /** `[…, queries, keys]` of what a tensor of the path carries. */
  readonly dims: (name: string) => readonly number[];
}

/** What a path does to its product, and to its weights. */
export interface ReadPath {
  /** Fills a row with the logits that become of one product. */
  readonly logits: (lead: number, row: number, product: number, values: Float64Array) => void;
  /** The weight that becomes of a weight; absent where all stay what they are. */
  readonly weight?: LogitRule;
  /** Where each tensor that meets the logits is read, by the leading axes as one. */
  readonly leads: ReadonlyArray<readonly number[]>;
  /** Whether all pairs of a leading index fare alike. */
  readonly isUniform: boolean;
  /** Whether all rows of a leading index do. */
  readonly rowsAlike: boolean;
  /** Whether a logit may be anything but a multiple of its product and a term. */
  readonly mayBend: boolean;
}

/** Operators whose result may bend with the product, beside a soft cap, which is told apart. */
const bending = new Set(['Max', 'Min', 'Clip']);

/**
 * Reads what a path does to its product off a run; a string says why it cannot be read, undefined that the sizes do not go together: a
 * runtime would refuse them.
 */
export function readPath({ product, before, after }: LogitPath, run: PathRun): ReadPath | string | undefined {
  const logits = readSteps(before, run.dims(product.output[0]!), run);
  if (logits === undefined || typeof logits === 'string') return logits;
  const weights = readSteps(after.slice(0, after.findLastIndex((step) => valuesOf(step).length > 0) + 1), logits.dims, run);
  if (weights === undefined || typeof weights === 'string') return weights;
  const count = logits.rules.findIndex(({ alike }) => alike === undefined);
  const [alike, apart] = count < 0 ? [logits.rules, []] : [logits.rules.slice(0, count), logits.rules.slice(count)];
  return {
    logits: (lead, row, product, values) => {
      let logit = product;
      for (const rule of alike) logit = rule.alike!(lead, logit);
      values.fill(logit);
      for (const rule of apart) rule.each(lead, row, values);
    },
    ...(weights.rules.length > 0 && {
      weight: (lead, row, values) => {
        for (const rule of weights.rules) rule.each(lead, row, values);
      },
    }),
    leads: [...logits.leads, ...weights.leads],
    isUniform: logits.isUniform && weights.isUniform,
    rowsAlike: logits.rowsAlike && weights.rowsAlike,
    mayBend: before.some(({ node }) => bending.has(node.opType)),
  };
}

interface ReadSteps extends Pick<ReadPath, 'leads' | 'isUniform' | 'rowsAlike'> {
  readonly rules: readonly StepRule[];
  /** Behind the last of them. */
  readonly dims: readonly number[];
}

/** What a step does. */
interface StepRule {
  readonly each: LogitRule;
  /** The same of one logit, where it makes of equal ones in all rows equal ones. */
  readonly alike?: (lead: number, logit: number) => number;
}

/** What a step reads of other tensors' values. */
function valuesOf(step: PathStep): string[] {
  return reshapes.has(step.node.opType) ? [] : sidesOf(step);
}

function readSteps(steps: readonly PathStep[], from: readonly number[], run: PathRun): ReadSteps | string | undefined {
  let dims = from;
  const rules: StepRule[] = [];
  const leads: Array<readonly number[]> = [];
  let isUniform = true;
  let rowsAlike = true;
  for (const step of steps) {
    const { node } = step;
    if (reshapes.has(node.opType)) {
      const next = run.dims(node.output[0]!);
      const keepsPairs = next.length >= 2 && [1, 2].every((back) => next.at(-back) === dims.at(-back));
      if (!keepsPairs) return `${node.opType} ${node.output[0]} rearranges its logits`;
      dims = next;
      continue;
    }
    if (!readable.has(node.opType)) return `what ${node.opType} ${node.output[0]} does to its logits or weights is not read`;
    const values = node.input.map((name, at) => (at === step.carried || name === '' ? undefined : valuesAt(run.tensor(name), dims)));
    if (node.input.some((name, at) => at !== step.carried && name !== '' && values[at] === undefined)) return undefined;
    leads.push(...values.flatMap((value) => (value === undefined ? [] : [value.leads])));
    rowsAlike &&= values.every((value) => value === undefined || value.perRow === 0);
    isUniform &&= values.every((value) => value === undefined || (value.perRow === 0 && value.perColumn === 0));
    const rule = stepRule(step, values);
    if (rule !== undefined) rules.push(rule);
  }
  return { rules, leads, isUniform, rowsAlike, dims };
}

/** Whether everything that meets the logits of a run broadcasts to them: a runtime refuses the sizes of a run where it does not. */
export function fitsPath({ product, before, after }: LogitPath, run: PathRun): boolean {
  let dims = run.dims(product.output[0]!);
  const rearranged = after.findIndex(({ node }) => reshapes.has(node.opType));
  return [...before, ...after.slice(0, rearranged < 0 ? after.length : rearranged)].every((step) => {
    if (reshapes.has(step.node.opType)) {
      dims = run.dims(step.node.output[0]!);
      return true;
    }
    return sidesOf(step).every((name) => run.tensor(name) !== undefined && broadcasts(run.tensor(name)!.dims, dims) !== undefined);
  });
}

/** A tensor's sizes on the axes of another, where it broadcasts to that. */
function broadcasts(own: readonly number[], dims: readonly number[]): readonly number[] | undefined {
  if (own.length > dims.length) return undefined;
  const aligned = [...Array.from({ length: dims.length - own.length }, () => 1), ...own];
  return aligned.some((size, axis) => size !== 1 && size !== dims[axis]) ? undefined : aligned;
}

/** Where a tensor's values for a pair lie, as broadcasting gives them. */
interface Values {
  readonly values: Float32Array;
  /** Of the first pair, by the leading axes as one. */
  readonly leads: readonly number[];
  readonly perRow: number;
  readonly perColumn: number;
}

/** Where a tensor's values lie as it broadcasts to `dims`; undefined where its sizes do not fit. */
function valuesAt(tensor: Tensor | undefined, dims: readonly number[]): Values | undefined {
  const own = tensor && broadcasts(tensor.dims, dims);
  if (tensor === undefined || own === undefined) return undefined;
  const strides = own.map((size, axis) => (size === 1 ? 0 : own.slice(axis + 1).reduce((product, each) => product * each, 1)));
  const leading = dims.slice(0, -2);
  const [perRow = 0, perColumn = 0] = strides.slice(-2);
  const leads = Array.from({ length: leading.reduce((product, size) => product * size, 1) }, (_, lead) => {
    let rest = lead;
    let offset = 0;
    for (let axis = leading.length - 1; axis >= 0; axis--) {
      offset += (rest % leading[axis]!) * strides[axis]!;
      rest = Math.floor(rest / leading[axis]!);
    }
    return offset;
  });
  const values = numbersOf(tensor);
  const plane = own.slice(-2).reduce((product, size) => product * size, 1);
  return { values, leads: withoutRepeats(values, leads, plane), perRow, perColumn };
}

/** Places of planes of values, that of an equal plane just before in the place of its own: what heads share, a model may repeat for each. */
function withoutRepeats(values: Float32Array, places: readonly number[], plane: number): readonly number[] {
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  const at = (place: number) => bytes.subarray(4 * place, 4 * (place + plane));
  const distinct: number[] = [];
  for (const place of places) {
    const before = distinct.at(-1);
    distinct.push(before !== undefined && (place === before || at(place).equals(at(before))) ? before : place);
  }
  return distinct;
}

/** Operators whose work on logits is read, or that hand them on; Tanh as it does small ones, as a soft cap is told apart. */
const readable = new Set('Add Sub Mul Div Max Min Where Clip Cast Identity Dropout Tanh'.split(' '));

/** Combines a row of logits with numbers that lie `step` apart. */
type Along = (logits: Float64Array, values: Float32Array, from: number, step: number) => void;

// Each has a loop of its own: masks of thousands of tokens are read, and a call for each pair takes longer than all else.
const along: Readonly<Record<string, Along>> = {
  Add: (logits, values, from, step) => {
    for (let at = 0, place = from; at < logits.length; at++, place += step) logits[at]! += values[place]!;
  },
  Sub: (logits, values, from, step) => {
    for (let at = 0, place = from; at < logits.length; at++, place += step) logits[at]! -= values[place]!;
  },
  Mul: (logits, values, from, step) => {
    for (let at = 0, place = from; at < logits.length; at++, place += step) logits[at]! *= values[place]!;
  },
  Div: (logits, values, from, step) => {
    for (let at = 0, place = from; at < logits.length; at++, place += step) logits[at]! /= values[place]!;
  },
  Max: (logits, values, from, step) => {
    for (let at = 0, place = from; at < logits.length; at++, place += step) logits[at] = Math.max(logits[at]!, values[place]!);
  },
  Min: (logits, values, from, step) => {
    for (let at = 0, place = from; at < logits.length; at++, place += step) logits[at] = Math.min(logits[at]!, values[place]!);
  },
};

function stepRule({ node, carried }: PathStep, values: ReadonlyArray<Values | undefined>): StepRule | undefined {
  const [condition, low, high] = values;
  const limit = (at: Values | undefined, name: string, absent: number): Values =>
    at ?? { values: Float32Array.of(attributeOf(node, name)?.f ?? absent), leads: [], perRow: 0, perColumn: 0 };
  if (along[node.opType] !== undefined)
    return combined(values.flatMap((value) => (value === undefined ? [] : [{ combine: along[node.opType]!, value }])));
  switch (node.opType) {
    case 'Where':
      return {
        each: (lead, row, logits) => chooseRow(condition!, carried === 1 ? high! : low!, { lead, row, logits, keeps: carried === 1 }),
      };
    case 'Clip':
      return combined([
        { combine: along['Max']!, value: limit(low, 'min', -Infinity) },
        { combine: along['Min']!, value: limit(high, 'max', Infinity) },
      ]);
    default:
      return undefined;
  }
}

/** Combines logits with some tensors, one after the other. */
function combined(others: ReadonlyArray<{ readonly combine: Along; readonly value: Values }>): StepRule {
  const each: LogitRule = (lead, row, logits) => {
    for (const { combine, value } of others) combine(logits, value.values, startOf(value, { lead, row }), value.perColumn);
  };
  const single = new Float64Array(1);
  const alike = (lead: number, logit: number): number => {
    each(lead, 0, single.fill(logit));
    return single[0]!;
  };
  return { each, ...(others.every(({ value: { perRow, perColumn } }) => perRow === 0 && perColumn === 0) && { alike }) };
}

interface Row {
  readonly lead: number;
  readonly row: number;
}

function startOf({ leads, perRow }: Values, { lead, row }: Row): number {
  return (leads[lead] ?? 0) + row * perRow;
}

/** Puts `other` where the condition is as `keeps` says not. */
function chooseRow(condition: Values, other: Values, at: Row & { readonly logits: Float64Array; readonly keeps: boolean }): void {
  const { logits, keeps } = at;
  let asked = startOf(condition, at);
  let place = startOf(other, at);
  for (let column = 0; column < logits.length; column++, asked += condition.perColumn, place += other.perColumn)
    if ((condition.values[asked] !== 0) !== keeps) logits[column] = other.values[place]!;
}
