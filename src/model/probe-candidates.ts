import type { ModelProto, NodeProto } from 'onnx-buf';
import type { Tensor } from '../contract/tensor.ts';
import type { DimensionSizes } from '../inputs/model-inputs.ts';
import type { Candidate, RawView } from './candidate.ts';
import { GraphBuilder } from './graph-builder.ts';
import type { GraphIndex } from './graph-index.ts';
import { maskAncestors, numbersOf } from './mask-sources.ts';
import type { OnnxFile } from './onnx-file.ts';
import { openProto, usingModel } from './open-proto.ts';
import type { ModelRunner } from './open-proto.ts';
import { findProbeCase, runProbe, withOutputs } from './probe.ts';
import type { ProbeRun } from './probe.ts';
import type { ProbeCase } from './probe-inputs.ts';
import { maskedBelow } from './read-logits.ts';
import { appendView, repeatedFrom, settleView } from './views.ts';
import type { View } from './views.ts';

const parts = ['query', 'key', 'value', 'output'] as const;
type Part = (typeof parts)[number];

/** What a candidate did in some small runs. */
export interface Probed {
  /** How its tensors lie; absent where they fit no layout. */
  readonly views?: Readonly<Record<Part, View>>;
  /** Under these names the runs hold them as `[batch, heads, n, headDim]`. */
  readonly names: Readonly<Record<Part, string>>;
  /** Tensors that its mask may come from. */
  readonly sources: readonly string[];
  readonly runs: readonly ProbeRun[];
}

interface Subject {
  readonly proto: ModelProto;
  readonly file: OnnxFile;
  readonly index: GraphIndex;
  readonly candidates: readonly Candidate[];
  readonly runner: ModelRunner;
  readonly given: DimensionSizes;
}

/** Runs the model once to see how its tensors lie, and some times more to see what each site does with them. */
export async function probeCandidates(subject: Subject): Promise<{ first: ProbeCase; probed: Probed[] }> {
  const { proto, file, index, candidates, runner, given } = subject;
  const opset = opsetOf(proto);
  const raw = candidates.map((candidate, site) => rawViews(candidate, new GraphBuilder({ opset, prefix: `attnswap/probe${site}/` })));
  const nodes = raw.flatMap((each) => each.nodes);
  const tensors = raw.flatMap(({ views }) => parts.flatMap((part) => [views[part].tensor, repeatedFrom(index, views[part].tensor) ?? '']));
  const logits = candidates.map((candidate) => candidate.logits ?? '');
  const plain = await openProto(withOutputs(proto, [...tensors, ...logits].filter(Boolean), nodes), file, runner, 'reading');
  const shows = (run: ProbeRun) =>
    raw.every(({ views }) => Math.min(tokensOf(views.query, run), tokensOf(views.key, run)) >= enoughTokens) &&
    candidates.every(({ logits }) => logits === undefined || !isAllMasked(run.tensors[logits]));
  const first = await usingModel(Promise.resolve(plain), (model) => findProbeCase(model, given, shows));
  const settled = candidates.map((candidate, site) =>
    settle({ index, candidate, views: raw[site]!.views }, first, new GraphBuilder({ opset, prefix: `attnswap/view${site}/` })),
  );
  const wanted = settled.flatMap(({ names, sources }, site) => [...Object.values(names), ...sources, candidates[site]!.logits ?? '']);
  const viewed = withOutputs(proto, wanted.filter(Boolean), [...nodes, ...settled.flatMap((each) => each.nodes)]);
  const model = await openProto(viewed, file, runner, 'reading');
  try {
    const runs: ProbeRun[] = [await runProbe(model, first.at, given)];
    for (const at of furtherCases(first.at)) {
      // Sizes may be fixed, or bound to each other: what one case tells is enough then.
      const run = await runProbe(model, at, given).catch(() => undefined);
      if (run !== undefined) runs.push(run);
    }
    return { first: first.at, probed: settled.map((each) => ({ ...each, runs })) };
  } finally {
    await model.dispose();
  }
}

/** Fewer tokens do not tell causal from full attention, or a mask from its edges. */
const enoughTokens = 5;

/** Whether a mask took every pair: it was drawn the wrong way round. */
function isAllMasked(logits: Tensor | undefined): boolean {
  return logits !== undefined && numbersOf(logits).every((logit) => !(logit > maskedBelow));
}

/** Tokens of a view's tensor in a run, as far as its axes tell. */
function tokensOf({ tensor, perm, swapped, packedHeads }: RawView, { tensors }: ProbeRun): number {
  const dims = tensors[tensor]?.dims ?? [];
  if (packedHeads !== undefined && dims.length === 3) return dims[1]!;
  const axis = dims.length - (swapped === true ? 1 : 2);
  return dims[perm?.[axis] ?? axis] ?? enoughTokens;
}

/** Version of the standard operators. */
export function opsetOf(proto: ModelProto): number {
  return Number(proto.opsetImport.find(({ domain }) => domain === '' || domain === 'ai.onnx')?.version ?? 0n);
}

/** Other sizes, paddings and pasts than the first case. */
export function furtherCases(first: ProbeCase): ProbeCase[] {
  const longer = first.length + Math.max(5, first.length / 2);
  return [
    { ...first, batch: 3, length: longer, past: 5, padding: 'right', seed: 2 },
    { ...first, padding: 'left', seed: 3 },
    { ...first, batch: 1, past: 0, seed: 4 },
    { ...first, batch: 1, length: longer, seed: 5 },
    { ...first, padding: 'right', spread: 3, seed: 6 },
  ];
}

interface RawViews {
  readonly views: Readonly<Record<Part, RawView>>;
  readonly nodes: readonly NodeProto[];
}

/** A candidate's views, with what its operator projects inside put in front of them. */
export function rawViews(candidate: Candidate, graph: GraphBuilder): RawViews {
  const { query, key, value, output, declared } = candidate;
  const projected = declared?.project?.(graph);
  if (projected === undefined) return { views: { query, key, value, output }, nodes: [] };
  const moved = (view: RawView, tensor: string): RawView => ({ ...view, tensor });
  const views = { query: moved(query, projected.query), key: moved(key, projected.key), value: moved(value, projected.value), output };
  return { views, nodes: graph.fragment() };
}

interface Settling {
  readonly index: GraphIndex;
  readonly candidate: Candidate;
  readonly views: Readonly<Record<Part, RawView>>;
}

function settle(
  { index, candidate, views }: Settling,
  first: ProbeRun,
  graph: GraphBuilder,
): Omit<Probed, 'runs'> & { nodes: NodeProto[] } {
  const sources = maskAncestors(index, candidate.side);
  const dimsOf = (tensor: string) => first.tensors[tensor]?.dims ?? [];
  const settled = parts.map((part) => {
    const raw = views[part];
    // Repeated key/value heads are read before they are repeated.
    const before = part === 'key' || part === 'value' ? repeatedFrom(index, raw.tensor) : undefined;
    const plain = raw.perm === undefined && raw.swapped === undefined && raw.packedHeads === undefined;
    const base = before !== undefined && plain && dimsOf(before).length === 4 ? { tensor: before } : raw;
    return settleView(base, dimsOf(base.tensor), first.batch);
  });
  const [query, key, value, output] = settled;
  const names = { query: '', key: '', value: '', output: '' };
  if (query === undefined || key === undefined || value === undefined || output === undefined) return { names, sources, nodes: [] };
  const all = { query, key, value, output };
  for (const part of parts) names[part] = appendView(graph, all[part]);
  return { views: all, names, sources, nodes: graph.fragment() };
}
