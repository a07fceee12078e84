import type { NodeProto } from 'onnx-buf';
import { GraphBuilder } from '../graph/graph-builder.ts';
import { followSizes } from '../fit/follow-sizes.ts';
import type { FollowedSizes } from '../fit/follow-sizes.ts';
import { attributeOf, GraphIndex, integerOf } from '../graph/graph-index.ts';
import type { LongRun } from './long-runs.ts';
import { opsetOf } from './probe-candidates.ts';
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
  const step = Math.floor(length / Math.floor(readPairs / length)) | 1;
  const largest = rows.filter((row) => row < length).toSorted((a, b) => b - a);
  // Rows are counted back from the last one: so many tokens bring a row among them, and those that lie whole steps before and behind it.
  const lengths = [0, ...largest].map((row) => Math.ceil(length / step) * step + (row % step) + 1);
  for (const tokens of [...new Set(lengths)].slice(0, mostRuns)) {
    const run = await runAt(far, tokens, step);
    if (run === undefined) return;
    onRun(run);
  }
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
