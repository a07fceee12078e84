import type { ModelProto, NodeProto } from 'onnx-buf';
import type { ModelInput } from '../../contract/adapter.ts';
import type { DimensionSizes } from '../../inputs/model-inputs.ts';
import type { Candidate, RawView } from './candidate.ts';
import { carriedSizes, carriedSources } from './carried-sizes.ts';
import { GraphBuilder } from '../graph/graph-builder.ts';
import { opsetOf } from '../graph/graph-index.ts';
import type { GraphIndex } from '../graph/graph-index.ts';
import { FewValues } from './few-values.ts';
import { domainOf } from './input-domains.ts';
import { appendLouder, mayCap } from './louder.ts';
import type { Louder } from './louder.ts';
import type { Domains } from './input-domains.ts';
import { isPerKey, maskAncestors } from './mask-sources.ts';
import type { OnnxFile } from '../file/onnx-file.ts';
import { usingModel } from '../file/open-proto.ts';
import type { ModelRunner } from '../file/open-proto.ts';
import { distinctCases } from './probe-cases.ts';
import { batchOf, sizesOfInputs } from './probe-inputs.ts';
import type { ProbeCase } from './probe-inputs.ts';
import { parts, probePrefix, rawViews } from './raw-views.ts';
import type { Part, RawViews } from './raw-views.ts';
import { findProbeCase, runProbe, smallestDims } from './probe.ts';
import type { DimsOf, Prober, ProbeRun, RealInputs } from './probe.ts';
import { tolerances } from './read-masks.ts';
import type { PairSizes } from './read-masks.ts';
import { findDomains, seeMasks } from './see-masks.ts';
import type { MaskEvidence } from './see-masks.ts';
import { sizedByValue } from './size-reads.ts';
import { largeAttention } from './thin-attention.ts';
import type { ThinAttention } from './thin-attention.ts';
import { replaceableDefaults } from './replaceable.ts';
import { reachOf } from './value-reach.ts';
import type { Reach } from './value-reach.ts';
import { appendView, repeatedFrom, settleView, viewedSizes, widened } from './views.ts';
import type { View } from './views.ts';
import { watchModel } from './watch.ts';
import type { Seen } from './watch.ts';

export type Views = Readonly<Record<Part, View>>;

/** What a candidate did in some small runs. */
export interface Probed {
  readonly candidate: Candidate;
  readonly reach: Reach;
  /** How its tensors lie; absent where they fit no layout. */
  readonly views?: Views;
  /** Nodes that give queries, keys and values where the operator projects them inside. */
  readonly projected: readonly NodeProto[];
  /** Other outputs of the operator, each with what gives it in its place. */
  readonly given: Readonly<Record<string, string>>;
  /** Under these names the runs hold them as `[batch, heads, n, headDim]`. */
  readonly names: Readonly<Record<Part, string>>;
  /** Between the rows of its output that runs show, counted back from the last; absent where they show all. */
  readonly rowStep?: number;
  /** Its attention again, of larger logits; absent where nothing caps them. */
  readonly louder?: Louder;
  /** Tensors with a value for each key that its mask may come from, the nearest first. */
  readonly sources: readonly string[];
  /** What they may hold. */
  readonly values: Pick<FewValues, 'isSaidBy'>;
  readonly runs: readonly ProbeRun[];
  /** What the inputs that reach masks by value hold. */
  readonly domains: Domains;
  /** Whether the model takes any number of batch elements. */
  readonly batchVaries: boolean;
  /** Runs of what its mask is computed from alone. */
  readonly evidence: MaskEvidence;
}

/** A model with what may be attention in it. */
export interface ProbeSubject {
  readonly proto: ModelProto;
  readonly file: OnnxFile;
  readonly index: GraphIndex;
  readonly candidates: readonly Candidate[];
  readonly runner: ModelRunner;
  readonly given: DimensionSizes;
  readonly realInputs?: RealInputs | undefined;
  /** A case that the model runs: no other is looked for. */
  readonly at?: ProbeCase | undefined;
  readonly onStep?: ((what: string) => void) | undefined;
}

/** Small runs of a model. */
export interface Probing {
  readonly first: ProbeCase;
  readonly inputs: readonly ModelInput[];
  readonly probed: readonly Probed[];
}

/**
 * Runs the model for its sizes, then what its masks are computed from, alone and with every input that reaches them varied, then the model
 * again, to see what each site does.
 */
export async function probeCandidates(subject: ProbeSubject): Promise<Probing> {
  const { proto, file, candidates, runner, given, index, onStep } = subject;
  const opset = opsetOf(proto);
  const sized = sizedByValue(index);
  const defaults = replaceableDefaults(proto);
  const traced = candidates.map((candidate, site): Traced => {
    const reach = reachOf(index, candidate, sized, defaults);
    const raw = rawViews(candidate, new GraphBuilder({ opset, prefix: probePrefix(site) }));
    return { candidate, reach, raw, ancestors: maskAncestors(index, reach.masks) };
  });
  const nodes = traced.flatMap(({ raw }) => raw.nodes);
  const carried = candidates.flatMap(({ path }) => (path === undefined ? [] : [carriedSources(path)]));
  const viewed = traced.flatMap(({ raw }) =>
    parts.flatMap((part) => [raw.views[part].tensor, repeatedFrom(index, raw.views[part].tensor) ?? '']),
  );
  onStep?.('reading sizes in short runs');
  const sizing = {
    tensors: [
      ...carried.flatMap(({ values }) => values),
      ...traced.flatMap(({ candidate, raw: { views } }) => (mayCap(candidate) ? [views.query.tensor, views.key.tensor] : [])),
    ],
    sizes: [
      ...carried.flatMap(({ sizes }) => sizes),
      ...viewed,
      ...traced.flatMap(({ ancestors, reach }) => [...reach.masks, ...ancestors]),
    ].filter((name) => name !== ''),
    nodes,
  };
  const { inputs, large, found } = await usingModel(watchModel(proto, sizing, file, runner), async (model) => {
    const { inputs } = model;
    const large = largeAttention(index, candidates, { opset, dims: smallestDims({ inputs, given }, index) });
    return { inputs, large, found: large.size > 0 ? undefined : await findSizes({ model, inputs, given }, traced, subject) };
  });
  const alone = large.size === 0 ? {} : { alone: { instead: new Map([...large.values()].map(({ node, standIn }) => [node, standIn])) } };
  const first =
    found ??
    (await usingModel(watchModel(proto, { ...sizing, ...alone }, file, runner), (model) =>
      findSizes({ model, inputs, given }, traced, subject),
    ));
  const settled = traced.map((each, site) =>
    settle(
      index,
      { ...each, large: large.get(each.candidate) },
      first,
      new GraphBuilder({ opset, prefix: `attnswap/view${site}/` }),
      inputs,
    ),
  );
  onStep?.('reading masks, varying every input');
  const { domains, evidence } = await seeAlone(subject, settled, { first, inputs });
  const start = { ...first.at, domains };
  onStep?.('checking what each site does in short runs');
  const watching = {
    tensors: [
      ...settled.flatMap(({ candidate, names, louder, given, sources, reach }) => [
        ...Object.values(names),
        ...Object.values(louder ?? {}),
        candidate.sinks?.tensor ?? '',
        ...Object.entries(given).flat(),
        ...sources,
        ...reach.masks,
        ...reach.computed,
        ...reach.scale.sizes.keys(),
      ]),
      ...carried.flatMap(({ values }) => values),
    ].filter((name) => name !== ''),
    sizes: carried.flatMap((each) => each.sizes),
    nodes: [...nodes, ...settled.flatMap((each) => each.nodes)],
    ...alone,
  };
  const runs = await usingModel(watchModel(proto, watching, file, runner), (model) => runCases({ model, inputs, given }, start));
  const dimsOf = (batch: number) => JSON.stringify(sizesOfInputs(inputs, { ...start, batch }, given));
  const batchVaries = dimsOf(1) !== dimsOf(2);
  const values = new FewValues(index, domains);
  return {
    first: start,
    inputs,
    probed: settled.map((each, site) => ({ ...each, runs, domains, values, batchVaries, evidence: evidence[site]! })),
  };
}

interface Traced {
  readonly candidate: Candidate;
  readonly reach: Reach;
  readonly raw: RawViews;
  /** What its mask is computed from, the nearest first. */
  readonly ancestors: readonly string[];
}

interface Settled extends Omit<Probed, 'runs' | 'evidence' | 'batchVaries' | 'domains' | 'values'> {
  readonly nodes: readonly NodeProto[];
  /** In the first run. */
  readonly sizes: PairSizes | undefined;
}

/** Fewer tokens do not tell causal from full attention, or a mask from its edges. */
const enoughTokens = 5;

/** The smallest sizes that show enough. */
function findSizes(prober: Prober, traced: readonly Traced[], { index, realInputs, at }: ProbeSubject): Promise<ProbeRun> {
  const reaching = prober.inputs.filter(({ name }) => traced.some(({ reach }) => reach.inputs.has(name)));
  const domains = Object.fromEntries(reaching.map((input) => [input.name, domainOf(input, [], 0)]));
  if (at !== undefined) return runProbe(prober, { ...at, domains });
  const enough = (dims: DimsOf) =>
    traced.every(({ candidate, raw: { views } }) => {
      const counted = candidate.declared?.single === true ? [views.key] : [views.query, views.key];
      return counted.every((view) => tokensOf(view, dims) >= enoughTokens);
    });
  return findProbeCase(prober, { index, realInputs, domains, enough });
}

/** Tokens of a view's tensor in a run, as far as its axes tell. */
function tokensOf({ tensor, perm, swapped, packedHeads }: RawView, dimsOf: DimsOf): number {
  const dims = dimsOf(tensor) ?? [];
  if (packedHeads !== undefined && dims.length === 3) return dims[1] ?? enoughTokens;
  const axis = dims.length - (swapped === true ? 1 : 2);
  return dims[perm?.[axis] ?? axis] ?? enoughTokens;
}

/** Settles what the inputs that reach masks hold, and reads the masks in runs of their own. */
async function seeAlone(
  { proto, file, runner, given }: ProbeSubject,
  settled: readonly Settled[],
  { first, inputs }: { first: ProbeRun; inputs: readonly ModelInput[] },
): Promise<{ domains: Domains; evidence: MaskEvidence[] }> {
  const none: MaskEvidence = { runs: [] };
  const subjects = settled.flatMap(({ candidate, reach, sizes, sources }, site) => {
    if (sizes === undefined || (reach.inputs.size === 0 && reach.unsettled === undefined)) return [];
    const carried = candidate.path === undefined ? undefined : carriedSizes(candidate.path, first.seen);
    return [{ site, candidate, reach, sources, sizes, tolerance: tolerances.f32, dims: (tensor: string) => carried?.get(tensor) ?? [] }];
  });
  if (subjects.length === 0) return { domains: {}, evidence: settled.map(() => none) };
  const tensors = subjects.flatMap(({ reach, sources }) => [...reach.masks, ...sources]);
  const alone = watchModel(proto, { tensors, sizes: [], alone: { instead: new Map() } }, file, runner);
  return usingModel(alone, async (model) => {
    const domains = await findDomains(model, subjects, { inputs, given, first: first.at });
    const seen = await seeMasks(model, subjects, { inputs, given, first: { ...first.at, domains } });
    const bySite = new Map(subjects.map(({ site }, at) => [site, seen[at]!]));
    return { domains, evidence: settled.map((_, site) => bySite.get(site) ?? none) };
  });
}

/** Runs the first case, and those of the further ones that show something else. */
async function runCases(prober: Prober, first: ProbeCase): Promise<ProbeRun[]> {
  const runs: ProbeRun[] = [];
  for (const at of distinctCases(prober.inputs, first, prober.given)) {
    // Sizes may be fixed, or bound to each other: what one case tells is enough then.
    const run = at === first ? await runProbe(prober, at) : await runProbe(prober, at).catch(() => undefined);
    if (run !== undefined) runs.push(run);
  }
  return runs;
}

function settle(
  index: GraphIndex,
  { candidate, reach, raw, ancestors, large }: Traced & { readonly large: ThinAttention | undefined },
  { seen }: ProbeRun,
  graph: GraphBuilder,
  inputs: readonly ModelInput[],
): Settled {
  const batch = batchOf(inputs, seen.feeds);
  // Repeated key/value heads are read before they are repeated, where both are.
  const viewOf = (part: Part, beforeRepeat: boolean) => {
    const view = raw.views[part];
    const before = beforeRepeat ? repeatedFrom(index, view.tensor) : undefined;
    const plain = view.perm === undefined && view.swapped === undefined && view.packedHeads === undefined;
    const base = before !== undefined && plain && seen.dims(before).length === 4 ? { tensor: before } : view;
    return settleView(base, seen.dims(base.tensor), batch);
  };
  const [query, output] = [viewOf('query', false), viewOf('output', false)];
  const shared = [viewOf('key', true), viewOf('value', true)];
  const [key, value] = shared[0]?.heads === shared[1]?.heads ? shared : [viewOf('key', false), viewOf('value', false)];
  const { nodes: projected, given } = raw;
  const unsettled = {
    candidate,
    reach,
    projected,
    given,
    names: { query: '', key: '', value: '', output: '' },
    sources: [],
    nodes: [],
    sizes: undefined,
  };
  if (query === undefined || key === undefined || value === undefined || output === undefined) return unsettled;
  const views = widened({ query, key, value, output }, (tensor) => seen.dims(tensor));
  const names = {
    query: appendView(graph, views.query),
    key: appendView(graph, views.key),
    value: appendView(graph, views.value),
    output: appendView(graph, large === undefined ? views.output : { ...views.output, tensor: large.append(graph) }),
  };
  const [elements, heads, queries] = viewedSizes(query, seen.dims(query.tensor));
  const sizes = { batch: elements, heads, queries, keys: viewedSizes(key, seen.dims(key.tensor))[2] };
  const sources = ancestors.filter((name) => isPerKey(seen.dims(name), sizes));
  const louder = appendLouder(graph, index, { candidate, views, read: raw.views, seen });
  const more = { ...(louder !== undefined && { louder }), ...(large !== undefined && { rowStep: large.step }), nodes: graph.fragment() };
  return { candidate: withLengths(candidate, seen, batch), reach, projected, given, views, names, sources, sizes, ...more };
}

/** A key padding mask with one axis holds how many keys each batch element has. */
function withLengths(candidate: Candidate, seen: Seen, batch: number): Candidate {
  const { declared } = candidate;
  if (declared === undefined) return candidate;
  const masks = declared.masks.map((mask) => {
    const dims = seen.dims(mask.tensor);
    return mask.rule === 'keep' && dims.length === 1 && dims[0] === batch ? { ...mask, rule: 'lengths' as const } : mask;
  });
  return { ...candidate, declared: { ...declared, masks } };
}
