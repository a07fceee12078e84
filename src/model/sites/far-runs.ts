import type { NodeProto } from 'onnx-buf';
import { GraphBuilder } from '../graph/graph-builder.ts';
import { followSizes } from '../fit/follow-sizes.ts';
import type { FollowedSizes } from '../fit/follow-sizes.ts';
import { GraphIndex, attributeOf, integerOf, opsetOf } from '../graph/graph-index.ts';
import { roundestBetween } from './long-runs.ts';
import type { LongRun } from './long-runs.ts';
import type { Probing, ProbeSubject } from './probe-candidates.ts';
import { usingModel } from '../file/open-proto.ts';
import { guessSizes, named, probeInputs } from './probe-inputs.ts';
import type { ProbeCase } from './probe-inputs.ts';
import { watchable, watchModel } from './watch.ts';
import type { Watching } from './watch.ts';

/** Keys of a window, before or after a query, that far runs look for. */
export const farthestKeys = 2 ** 15;
/** Pairs of a mask that a run reads, and the bytes that it may hold. */
const readPairs = 2 ** 21;
const mostBytes = 2 ** 27;
/** Runs that begin at other rows. */
const mostRuns = 8;

export interface FarRuns {
  readonly subject: ProbeSubject;
  readonly probing: Probing;
  /** Masks and what they are read with; rows of `thinned` ones alone. */
  readonly tensors: readonly string[];
  readonly thinned: ReadonlySet<string>;
  /** Tensors of which only the sizes are read: each must be known. */
  readonly sizes: readonly string[];
  /** Tokens at least. */
  readonly length: number;
  /** Rows that are read, as far as {@link mostRuns} reach: the largest first. */
  readonly rows: readonly number[];
  readonly onRun: (run: LongRun) => void;
}

/**
 * Runs at lengths at which a model as a whole would take too much memory: what masks are computed from alone, in a few rows spread over all of
 * them, the first and the last among them. The sizes that masks are computed from are those that the graph says it has.
 */
export async function farRuns(far: FarRuns): Promise<void> {
  const { length, rows, onRun } = far;
  const step = stepAt(length);
  const largest = rows.filter((row) => row < length).toSorted((a, b) => b - a);
  // Rows are counted back from the last one: so many tokens bring a row among them, and those that lie whole steps before and behind it.
  const lengths = [0, ...largest].map((row) => length + step - ((length + step - 1 - row) % step));
  for (const tokens of [...new Set(lengths)].slice(0, mostRuns)) {
    const run = await runAt(far, tokens, step);
    if (run === undefined) return;
    onRun(run);
  }
}

/** Between rows that are read; an odd step meets patterns of any power of two. */
function stepAt(length: number): number {
  return Math.floor(length / Math.floor(readPairs / length)) | 1;
}

/**
 * Tokens for far runs: as many as are wanted, or fewer where the graph's sizes and tables end earlier.
 * @param proven tokens that the model takes
 */
export function allowedLength(
  { subject: { index, given }, probing: { inputs, first } }: Pick<FarRuns, 'subject' | 'probing'>,
  { wanted, proven }: { readonly wanted: number; readonly proven: number },
): number {
  const isTaken = (length: number) => {
    const { conflict, dims } = followSizes(index, named(inputs), guessSizes(inputs, { ...first, batch: 1, past: 0, length }, given));
    return conflict === undefined && !outrunsTable(index, dims);
  };
  // A run has up to one step more than it needs.
  const most = wanted + stepAt(wanted);
  if (isTaken(most) || !isTaken(proven)) return wanted;
  for (let [low, refused] = [proven, most]; ;) {
    if (refused - low <= 1) return low - stepAt(low);
    const middle = roundestBetween(low, refused);
    if (isTaken(middle)) low = middle;
    else refused = middle;
  }
}

/** Whether positions that are counted up are more than the rows of a table that they pick from. */
function outrunsTable(index: GraphIndex, dims: FollowedSizes['dims']): boolean {
  return index.graph.node.some((node) => {
    if (node.opType !== 'Gather') return false;
    const rows = index.constant(node.input[0]!)?.dims[integerOf(node, 'axis', 0)];
    const count = dims(rangeBehind(index, node.input[1]!) ?? '')?.[0];
    return rows !== undefined && count !== undefined && count > Number(rows);
  });
}

const movesAxes = new Set(['Cast', 'Expand', 'Identity', 'Reshape', 'Squeeze', 'Unsqueeze']);

function rangeBehind(index: GraphIndex, tensor: string): string | undefined {
  const node = index.producer(tensor);
  if (node?.opType === 'Range') return tensor;
  return node !== undefined && movesAxes.has(node.opType) ? rangeBehind(index, node.input[0]!) : undefined;
}

/** Undefined where sizes are not known, or what masks are computed from is too large or does not run: that shows nothing. */
async function runAt(
  { subject, probing, tensors, thinned, sizes: sized }: FarRuns,
  length: number,
  step: number,
): Promise<LongRun | undefined> {
  const { proto, file, index, given, runner } = subject;
  const inputs = named(probing.inputs);
  const at: ProbeCase = { ...probing.first, batch: 1, past: 0, length, style: 'plain' };
  const sizes = guessSizes(probing.inputs, at, given);
  const followed = followSizes(index, inputs, sizes);
  const { dims } = followed;
  if (sized.some((tensor) => dims(tensor)?.includes(undefined) !== false)) return undefined;
  const instead = knownSizes(index, dims, opsetOf(proto));
  const watching: Watching = { tensors, sizes: [], alone: { instead, thinned: { tensors: thinned, index, dims } } };
  const part = new GraphIndex(watchable(proto, watching).proto.graph!);
  if (followed.conflict !== undefined || followSizes(part, inputs, sizes).bytes > mostBytes) return undefined;
  return usingModel(watchModel(proto, watching, file, runner), async (model) => {
    const wanted = new Set(model.inputs.map(({ name }) => name));
    const seen = await model.run(probeInputs(probing.inputs, at, given, wanted), step);
    return {
      at,
      seen: { ...seen, dims: (tensor: string) => (dims(tensor) ?? []) as number[] },
      batch: 1,
      step,
      ms: 0,
    };
  }).catch(() => undefined);
}

/** Nodes that give the sizes of tensors as they are known, in the place of those that ask the tensors. */
function knownSizes(index: GraphIndex, dims: FollowedSizes['dims'], opset: number): Map<NodeProto, NodeProto[]> {
  const instead = new Map<NodeProto, NodeProto[]>();
  for (const [place, node] of index.graph.node.entries()) {
    const known = node.opType === 'Shape' ? dims(node.input[0]!) : undefined;
    if (known === undefined || known.includes(undefined)) continue;
    const graph = new GraphBuilder({ opset, prefix: `attnswap/known${place}/` });
    const sizes = graph.int((known as number[]).slice(integerOf(node, 'start', 0), Number(attributeOf(node, 'end')?.i ?? 2 ** 31)));
    instead.set(node, [...graph.fragment(), ...graph.named('Identity', [sizes], node.output[0]!)]);
  }
  return instead;
}
