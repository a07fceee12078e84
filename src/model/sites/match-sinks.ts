import { integerOf, integersOf } from '../graph/graph-index.ts';
import type { GraphIndex } from '../graph/graph-index.ts';

/** A softmax over logits and a sink: one more logit a row, whose weight is cut off behind it. */
export interface SinkMatch {
  /** The logits alone. */
  readonly logits: string;
  /** The sinks before they were spread over rows: a constant. */
  readonly sinks: string;
  /** The weights without the sink's. */
  readonly weights: string;
}

const passing = new Set(['Cast', 'Identity', 'Dropout']);
const spreading = new Set([...passing, 'Reshape', 'Expand', 'Tile', 'Unsqueeze', 'Squeeze']);

/** Sinks as gpt-oss has them: logits joined by a constant column, whose weight nothing reads. */
export function matchSinks(index: GraphIndex, softmax: { readonly input: string; readonly output: string }): SinkMatch | undefined {
  const joined = index.producer(behind(index, softmax.input, passing));
  if (joined?.opType !== 'Concat' || joined.input.length !== 2 || !isLast(integerOf(joined, 'axis', 0))) return undefined;
  const sinks = behind(index, joined.input[1]!, spreading);
  const weights = withoutLast(index, softmax.output);
  return weights === undefined || !index.isConstant(sinks) ? undefined : { logits: joined.input[0]!, sinks, weights };
}

/** The logits before the largest of each row was taken off, which changes no weight. */
export function unshifted(index: GraphIndex, tensor: string): string {
  const shift = index.producer(tensor);
  const largest = shift?.opType === 'Sub' ? index.producer(shift.input[1]!) : undefined;
  return largest?.opType === 'ReduceMax' && largest.input[0] === shift!.input[0] ? unshifted(index, shift!.input[0]!) : tensor;
}

/** What a tensor comes from through some operators that read one tensor. */
function behind(index: GraphIndex, tensor: string, operators: ReadonlySet<string>): string {
  const node = index.producer(tensor);
  return node !== undefined && operators.has(node.opType) ? behind(index, node.input[0]!, operators) : tensor;
}

/** The slice that cuts the last weight of each row off, where nothing else reads the weights. */
function withoutLast(index: GraphIndex, tensor: string): string | undefined {
  const [reader, ...others] = index.consumers(tensor);
  if (reader === undefined || others.length > 0 || index.isOutput(tensor)) return undefined;
  if (passing.has(reader.opType)) return withoutLast(index, reader.output[0]!);
  const [start, end, axis, step] = [1, 2, 3, 4].map((at) => {
    const constant = index.constant(reader.input[at] ?? '');
    return constant === undefined ? undefined : integersOf(constant);
  });
  const cuts = start?.join() === '0' && end?.join() === '-1' && axis?.length === 1 && isLast(axis[0]!);
  const isWhole = (reader.input[4] ?? '') === '' || step?.join() === '1';
  return reader.opType === 'Slice' && cuts && isWhole ? reader.output[0]! : undefined;
}

/** Whether an axis of `[batch, heads, queries, keys]` is the last one. */
function isLast(axis: number): boolean {
  return axis === -1 || axis === 3;
}
