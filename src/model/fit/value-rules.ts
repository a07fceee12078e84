import { attributeOf } from '../graph/graph-index.ts';
import { TensorProto_DataType as DataType } from 'onnx-buf';
import { derivedSize, fixedSize, productOf, sumOf } from './size.ts';
import type { Size } from './size.ts';
import { axisIn } from './size-reading.ts';
import type { SizeReading, SizeRule } from './size-reading.ts';
import { constantSizes, unknownTensor, valuesTensor } from './tensor-sizes.ts';
import type { Axes, TensorSizes } from './tensor-sizes.ts';

type Arithmetic = (left: number, right: number, isReal: boolean) => number;

const arithmetic: Readonly<Record<string, Arithmetic>> = {
  Add: (left, right) => left + right,
  Sub: (left, right) => left - right,
  Mul: (left, right) => left * right,
  Div: (left, right, isReal) => (isReal ? left / right : Math.trunc(left / right)),
  Mod: (left, right) => (right === 0 ? 0 : left - right * Math.floor(left / right)),
  Pow: (left, right) => left ** right,
  Max: (left, right) => Math.max(left, right),
  Min: (left, right) => Math.min(left, right),
  Equal: (left, right) => Number(left === right),
  Greater: (left, right) => Number(left > right),
  GreaterOrEqual: (left, right) => Number(left >= right),
  Less: (left, right) => Number(left < right),
  LessOrEqual: (left, right) => Number(left <= right),
  And: (left, right) => Number(left !== 0 && right !== 0),
  Or: (left, right) => Number(left !== 0 || right !== 0),
};
const functions: Readonly<Record<string, (value: number) => number>> = {
  Identity: (value) => value,
  Ceil: Math.ceil,
  Floor: Math.floor,
  Round: Math.round,
  Sqrt: Math.sqrt,
  Not: (value) => Number(value === 0),
  Clip: (value) => value,
};
const comparing = new Set(['Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'And', 'Or']);
const realTypes = new Set<number>([DataType.FLOAT, DataType.FLOAT16, DataType.DOUBLE, DataType.BFLOAT16]);

/** Operators that shapes are computed with: what they give is followed by value too. */
export const valueRules: ReadonlyArray<readonly [string, SizeRule]> = [
  ...Object.keys(arithmetic).map((name): [string, SizeRule] => [name, computed]),
  ...Object.keys(functions).map((name): [string, SizeRule] => [name, ({ first, node }) => mapped(first, functions[node.opType]!)]),
  ...['BitwiseAnd', 'BitwiseOr', 'BitShift', 'Xor', 'Mean', 'Sum'].map((name): [string, SizeRule] => [
    name,
    (reading) => ({ axes: reading.broadcast(reading.inputs.map(({ axes }) => axes)) }),
  ]),
  ['Cast', cast],
  ['Constant', ({ node }) => constantOf(node)],
  ['Concat', joined],
  ['ConstantOfShape', filled],
  ['Expand', expanded],
  ['Gather', gathered],
  ['Range', ranged],
  ['ReduceProd', multipliedOut],
  ['Reshape', reshaped],
  ['Shape', shape],
  ['Size', ({ first }) => valuesTensor(first.axes && [productOf(first.axes)], true)],
  ['Slice', sliced],
  ['Split', split],
  ['Squeeze', squeezed],
  ['Transpose', transposed],
  ['Unsqueeze', unsqueezed],
  ['Where', chosen],
];

function mapped(tensor: TensorSizes, compute: (value: number) => number): TensorSizes {
  return { ...tensor, values: tensor.values?.map((value) => derivedSize([value], (each) => compute(each!))) };
}

function cast(reading: SizeReading): TensorSizes {
  const isReal = realTypes.has(reading.integer('to', 0));
  return { ...mapped(reading.first, isReal ? (value) => value : Math.trunc), isReal };
}

function constantOf(node: SizeReading['node']): TensorSizes {
  const [whole, list] = [attributeOf(node, 'value_int')?.i, attributeOf(node, 'value_ints')?.ints];
  if (whole !== undefined) return valuesTensor([fixedSize(Number(whole))], true);
  if (list !== undefined) return valuesTensor(list.map((value) => fixedSize(Number(value))));
  const value = attributeOf(node, 'value')?.t;
  return value === undefined ? unknownTensor : constantSizes(value);
}

function computed(reading: SizeReading): TensorSizes {
  const { node, inputs } = reading;
  const axes = reading.broadcast(inputs.map((input) => input.axes));
  const compute = arithmetic[node.opType]!;
  const isReal = !comparing.has(node.opType) && inputs.some((input) => input.isReal === true);
  const lists = inputs.map((input) => input.values);
  const count = Math.max(...lists.map((list) => list?.length ?? 0));
  const values =
    lists.includes(undefined) || lists.length !== 2
      ? undefined
      : Array.from({ length: count }, (_, at) =>
          derivedSize(
            lists.map((list) => list![list!.length === 1 ? 0 : at]),
            (left, right) => compute(left!, right!, isReal),
          ),
        );
  return { axes, values, isReal, numbers: comparing.has(node.opType) ? undefined : shifted(node.opType, inputs) };
}

/** What becomes of an input's numbers to which a constant is added. */
function shifted(operator: string, inputs: readonly TensorSizes[]): TensorSizes['numbers'] {
  const [left, right] = inputs;
  const [numbers, other] = left?.numbers === undefined ? [right?.numbers, left] : [left.numbers, right];
  const by = other?.values?.length === 1 ? other.values[0] : undefined;
  if (numbers === undefined || by === undefined || by.names.size > 0) return undefined;
  if (operator === 'Add') return { ...numbers, offset: numbers.offset + by.value };
  return operator === 'Sub' && numbers === left?.numbers ? { ...numbers, offset: numbers.offset - by.value } : undefined;
}

function shape(reading: SizeReading): TensorSizes {
  const { axes } = reading.first;
  if (axes === undefined) return unknownTensor;
  const [start, end] = [reading.integer('start', 0), reading.integer('end', axes.length)];
  return valuesTensor(axes.slice(start, end));
}

function joined(reading: SizeReading): TensorSizes {
  const { inputs } = reading;
  const [known] = inputs.flatMap(({ axes }) => (axes === undefined ? [] : [axes]));
  if (known === undefined) return unknownTensor;
  const axis = axisIn(known, reading.integer('axis', 0));
  const axes = known.map((_, at) => {
    const along = inputs.map((input) => input.axes?.[at]);
    if (at === axis) return sumOf(along);
    const [one, ...others] = along.filter((size) => size !== undefined);
    for (const other of others) reading.requireSame(other, one);
    return one;
  });
  const values = inputs.every((input) => input.axes?.length === 1) ? inputs.flatMap((input) => input.values ?? [undefined]) : undefined;
  const isWhole = inputs.every((input) => input.values !== undefined || input.axes?.[0]?.value === 1);
  return { axes, values: isWhole ? values : undefined, numbers: inputs.find(({ numbers }) => numbers !== undefined)?.numbers };
}

function filled({ node, first }: SizeReading): TensorSizes {
  const value = attributeOf(node, 'value')?.t;
  const [content] = value === undefined ? [fixedSize(0)] : (constantSizes(value).values ?? []);
  const axes = first.values;
  const count = axes === undefined ? undefined : axes.length > 1 ? undefined : (axes[0]?.value ?? 1);
  return {
    axes,
    values: content === undefined || count === undefined || count > 64 ? undefined : Array.from({ length: count }, () => content),
  };
}

function expanded(reading: SizeReading): TensorSizes {
  const { axes, numbers } = reading.first;
  const [target = unknownTensor] = reading.inputs.slice(1);
  const sizes = target.values ?? (target.axes?.[0] && Array.from({ length: target.axes[0].value }, () => undefined));
  return { axes: reading.broadcast([axes, sizes]), numbers };
}

function gathered(reading: SizeReading): TensorSizes {
  const [data, indices = unknownTensor] = [reading.first, reading.inputs[1]];
  if (data.axes === undefined || indices.axes === undefined) return unknownTensor;
  const axis = axisIn(data.axes, reading.integer('axis', 0));
  reading.picks(indices, data.axes[axis]);
  const axes = [...data.axes.slice(0, axis), ...indices.axes, ...data.axes.slice(axis + 1)];
  const values = indices.values?.map((at) => (at === undefined ? undefined : data.values?.at(at.value)));
  return { axes, values: data.values === undefined ? undefined : values, isReal: data.isReal === true, numbers: data.numbers };
}

function ranged({ inputs }: SizeReading): TensorSizes {
  const [start, limit, delta] = inputs.map((input) => input.values?.[0]);
  return { axes: [derivedSize([start, limit, delta], (from, to, step) => Math.max(0, Math.ceil((to! - from!) / step!)))] };
}

function multipliedOut(reading: SizeReading): TensorSizes {
  const { first } = reading;
  return first.axes?.length === 1 && first.values !== undefined
    ? valuesTensor([productOf(first.values)], reading.integer('keepdims', 1) === 0)
    : unknownTensor;
}

function reshaped(reading: SizeReading): TensorSizes {
  const { first } = reading;
  const target = reading.inputs[1]?.values;
  if (target === undefined) return unknownTensor;
  const copies = reading.integer('allowzero', 0) === 0;
  const sizes = target.map((size, axis) => (copies && size?.value === 0 ? first.axes?.[axis] : size));
  const total = first.axes && productOf(first.axes);
  const open = sizes.findIndex((size) => size?.value === -1);
  if (open < 0) reading.requireSame(total, productOf(sizes));
  const others = productOf(sizes.filter((_, axis) => axis !== open));
  const rest = derivedSize([total, others], (all, known) => all! / known!);
  if (open >= 0 && rest !== undefined && !Number.isInteger(rest.value))
    reading.requireSame(
      total,
      derivedSize([rest, others], (each, known) => Math.max(1, Math.floor(each!)) * known!),
    );
  const axes = open < 0 ? sizes : sizes.with(open, rest);
  return { axes, values: axes.length <= 1 ? first.values : undefined, isReal: first.isReal === true, numbers: first.numbers };
}

function sliced(reading: SizeReading): TensorSizes {
  const { first, inputs, node } = reading;
  const { axes } = first;
  if (axes === undefined) return unknownTensor;
  const bound = (at: number, name: string): Axes | undefined => inputs[at]?.values ?? reading.integers(name)?.map(fixedSize);
  const [starts, ends] = [bound(1, 'starts'), bound(2, 'ends')];
  const given = reading.integers('axes', 3) ?? ((node.input[3] ?? '') === '' ? starts?.map((_, at) => at) : undefined);
  const steps = (node.input[4] ?? '') === '' ? undefined : bound(4, 'steps');
  if (starts === undefined || ends === undefined || given === undefined || ((node.input[4] ?? '') !== '' && steps === undefined))
    return {
      axes: axes.map((size, axis) => (given === undefined || given.some((at) => axisIn(axes, at) === axis) ? undefined : size)),
      numbers: first.numbers,
    };
  const result = [...axes];
  for (const [at, axis] of given.entries()) {
    const step = steps === undefined ? fixedSize(1) : steps[at];
    const place = axisIn(axes, axis);
    result[place] = derivedSize([axes[place], starts[at], ends[at], step], (size, start, end, by) =>
      partSize(size!, { start: start!, end: end!, by: by! }),
    );
  }
  const [start, end] = [starts[0]?.value, ends[0]?.value];
  const isPlain = axes.length === 1 && (steps === undefined || steps[0]?.value === 1) && start !== undefined && end !== undefined;
  return {
    axes: result,
    values: isPlain ? first.values?.slice(start, end) : undefined,
    isReal: first.isReal === true,
    numbers: first.numbers,
  };
}

function partSize(size: number, { start, end, by }: { start: number; end: number; by: number }): number {
  const inside = (bound: number, low: number, high: number) => Math.min(high, Math.max(low, bound < 0 ? bound + size : bound));
  if (by < 0) return Math.max(0, Math.ceil((inside(end, -1, size - 1) - inside(start, -1, size - 1)) / by));
  return Math.max(0, Math.ceil((inside(end, 0, size) - inside(start, 0, size)) / by));
}

function split(reading: SizeReading): TensorSizes[] {
  const { first, node } = reading;
  const { axes } = first;
  if (axes === undefined) return [];
  const axis = axisIn(axes, reading.integer('axis', 0));
  const parts = reading.integers('split') ?? reading.inputs[1]?.values?.map((value) => value?.value);
  return node.output.map((_, at) => {
    const part =
      parts === undefined
        ? derivedSize([axes[axis]], (size) => Math.ceil(size! / node.output.length))
        : parts[at] === undefined
          ? undefined
          : fixedSize(parts[at]);
    return { axes: axes.with(axis, part), numbers: first.numbers };
  });
}

function squeezed(reading: SizeReading): TensorSizes {
  const { first, node } = reading;
  const { axes } = first;
  const given = reading.integers('axes', 1);
  if (axes === undefined || (given === undefined && (node.input[1] ?? '') !== '')) return unknownTensor;
  const gone = new Set(given?.map((axis) => axisIn(axes, axis)));
  if (given === undefined && axes.includes(undefined)) return unknownTensor;
  const isGone = (size: Size | undefined, axis: number) => (given === undefined ? size!.value === 1 : gone.has(axis));
  for (const [axis, size] of axes.entries()) if (gone.has(axis)) reading.requireSame(size, fixedSize(1));
  return { ...first, axes: axes.filter((size, axis) => !isGone(size, axis)) };
}

function unsqueezed(reading: SizeReading): TensorSizes {
  const { first } = reading;
  const added = reading.integers('axes', 1);
  if (first.axes === undefined || added === undefined) return unknownTensor;
  const rank = first.axes.length + added.length;
  const places = new Set(added.map((axis) => (axis < 0 ? axis + rank : axis)));
  let next = 0;
  const axes = Array.from({ length: rank }, (_, axis) => (places.has(axis) ? fixedSize(1) : first.axes![next++]));
  return { ...first, axes, values: rank <= 1 ? first.values : undefined };
}

function transposed(reading: SizeReading): TensorSizes {
  const { axes, numbers } = reading.first;
  const order = reading.integers('perm');
  return { axes: axes && (order === undefined ? axes.toReversed() : order.map((axis) => axes[axis])), numbers };
}

function chosen(reading: SizeReading): TensorSizes {
  const [condition, yes, no] = reading.inputs;
  const lists = [condition?.values, yes?.values, no?.values];
  const count = Math.max(...lists.map((list) => list?.length ?? 0));
  const values = lists.includes(undefined)
    ? undefined
    : Array.from({ length: count }, (_, at) =>
        derivedSize(
          lists.map((list) => list![list!.length === 1 ? 0 : at]),
          (flag, left, right) => (flag !== 0 ? left! : right!),
        ),
      );
  return { axes: reading.broadcast([condition?.axes, yes?.axes, no?.axes]), values, numbers: yes?.numbers ?? no?.numbers };
}
