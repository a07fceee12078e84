import { create } from '@bufbuild/protobuf';
import { OperatorSetIdProtoSchema } from 'onnx-buf';
import type { GraphProto, ModelProto, NodeProto } from 'onnx-buf';
import type { Adapter, KernelGraphRequest } from '../../contract/adapter.ts';
import { AttnswapError } from '../../contract/errors.ts';
import type { GateTensors } from '../../contract/inputs.ts';
import type { Parameters } from '../../contract/variant.ts';
import { drawGate } from '../../inputs/gate.ts';
import { findVariant } from '../../variants/index.ts';
import { appendMask } from '../sites/append-mask.ts';
import { appendSinks } from '../sites/append-sinks.ts';
import { copyMessage } from '../graph/copy-message.ts';
import { bodyGraph, withBody } from '../graph/bodies.ts';
import type { Body } from '../graph/bodies.ts';
import type { ModelSites } from '../sites/find-sites.ts';
import { elementTypes } from '../graph/element-types.ts';
import { GraphBuilder } from '../graph/graph-builder.ts';
import type { Value } from '../graph/graph-builder.ts';
import { GraphIndex, opsetOf, readsOf } from '../graph/graph-index.ts';
import type { Projected } from '../sites/candidate.ts';
import { neededNodes, stayingNodes } from '../graph/needed-nodes.ts';
import type { SwappableSite } from '../sites/site.ts';
import { namesIn, spliceNodes } from '../graph/splice.ts';
import { appendInverse, appendView } from '../sites/views.ts';
import { dimensionsOf } from '../parts/join-models.ts';
import { checkTokens } from './check-tokens.ts';
import { checkWidths } from './check-widths.ts';
import { checkSoftcap } from './soft-caps.ts';

/** What a site becomes. */
export interface Replacement {
  readonly variant: string;
  readonly kernel: string;
  readonly parameters: Parameters;
  /** Multiplies the logits' scale: a softmax temperature of 1/factor. */
  readonly scaleFactor?: number;
}

export interface GraphSwapOptions {
  /** Whose kernels are put in. */
  readonly adapter: Adapter;
  /** Which the model is to run on, where that is settled. */
  readonly backend?: string;
  /** By number of the site. */
  readonly replacements: ReadonlyMap<number, Replacement>;
  /** Of a gate that nothing gives. */
  readonly seed: number;
}

/**
 * The model with other attention at the given sites, nothing else touched: the new nodes stand where the old output was
 * computed and give it under its old name; what only the old attention needed is left out.
 * @throws USAGE for a site that is not there or cannot be swapped; UNSUPPORTED where the adapter lacks the kernel, the backend would ignore its soft cap,
 * a variant needs whole sequences of a site that has some queries alone, or another number of tokens, or zeros would change it
 */
export function swapSites(sites: ModelSites, options: GraphSwapOptions): ModelProto {
  const graph = sites.proto.graph!;
  const taken = namesIn(graph);
  const dimensions = graph.input.flatMap(dimensionsOf).flatMap(({ value }) => (value.case === 'dimParam' ? [value.value] : []));
  const swaps = [...options.replacements].map(([number, replacement]): SwapNodes => {
    const site = requireSite(sites, number);
    checkQueries(site, replacement);
    checkTokens(site.site, replacement, dimensions);
    checkWidths(site.site, replacement);
    if (options.backend !== undefined) checkSoftcap(site.site, replacement, options.adapter, options.backend);
    const prefix = freePrefix(taken, number);
    const nodes = replacementNodes(site, replacement, { ...options, prefix, opset: opsetOf(sites.proto) });
    return { body: site.plan.body, output: site.plan.output.tensor, nodes };
  });
  const own = swaps.filter(({ body }) => body === undefined);
  const start = own.length === 0 ? sites.proto : copyMessage(sites.proto, { graph: swapIn(graph, own) });
  const bodies = new Set(swaps.flatMap(({ body }) => body ?? []));
  const swapped = [...bodies].reduce((proto, body) => {
    const inside = swaps.filter((swap) => swap.body === body);
    return withBody(proto, body, swapIn(bodyGraph(proto.graph!, body), inside));
  }, start);
  const added = swaps.flatMap(({ nodes }) => nodes);
  return copyMessage(swapped, { opsetImport: withMicrosoft(sites.proto, added) });
}

interface SwapNodes {
  /** Where the site lies; undefined in the model's own graph. */
  readonly body: Body | undefined;
  /** What the old attention gave, and the new nodes give. */
  readonly output: string;
  readonly nodes: readonly NodeProto[];
}

function swapIn(graph: GraphProto, swaps: readonly SwapNodes[]): GraphProto {
  const replaced = new Map(swaps.map(({ output, nodes }) => [output, nodes]));
  const index = new GraphIndex(graph);
  const outputs = new Map([...replaced].map(([output, nodes]) => [index.producer(output)!, nodes]));
  const node = graph.node.flatMap((old) => outputs.get(old) ?? [old]);
  const needed = prune(node, graph, [...replaced.keys()]);
  const read = new Set([...needed.flatMap((each) => [...readsOf(each)]), ...graph.output.map(({ name }) => name)]);
  const before = new Set(graph.node.flatMap((each) => [...readsOf(each)]));
  // Before IR version 4 initializers are inputs too: dropping one would ask the user for it.
  const inputs = new Set(graph.input.map(({ name }) => name));
  const initializer = graph.initializer.filter(({ name }) => read.has(name) || !before.has(name) || inputs.has(name));
  return copyMessage(graph, { node: needed, initializer });
}

/** Variants whose rows do not depend on the queries around them, nor on a query's place but by a mask. */
const ofSomeQueries: readonly string[] = ['dense', 'topk'];

function checkQueries({ site: { site, node, someQueries } }: SwappableSite, { variant }: Replacement): void {
  if (someQueries !== true || ofSomeQueries.includes(variant)) return;
  const picked = `its queries are some of the positions, picked by what the model computes`;
  throw new AttnswapError('UNSUPPORTED', `site ${site} (${node}) cannot become ${variant}: ${picked}`, {
    hint: `choose ${ofSomeQueries.join(' or ')}, or select only the other sites with --site`,
  });
}

function requireSite({ sites, swappable }: ModelSites, number: number): SwappableSite {
  const site = swappable.get(number);
  if (site !== undefined) return site;
  const known = sites[number];
  if (known === undefined)
    throw new AttnswapError('USAGE', `there is no site ${number}: the model has ${sites.length} sites`, {
      hint: 'attnswap sites lists the sites',
    });
  throw new AttnswapError('USAGE', `site ${number} (${known.node}) cannot be swapped: ${known.reason ?? ''}`, {
    hint: 'select only the other sites with --site',
  });
}

function freePrefix(taken: ReadonlySet<string>, site: number): string {
  for (let version = 0; ; version++) {
    const prefix = `attnswap/site${site}${version === 0 ? '' : `.${version}`}/`;
    if (![...taken].some((name) => name.startsWith(prefix))) return prefix;
  }
}

/** Where new attention is put, and how. */
export interface Placing extends Pick<GraphSwapOptions, 'adapter' | 'seed'> {
  readonly prefix: string;
  readonly opset: number;
}

function replacementNodes(swappable: SwappableSite, replacement: Replacement, placing: Placing): NodeProto[] {
  const { output } = swappable.plan;
  const { prefix, opset } = placing;
  const { nodes, projected, output: attended } = newAttention(swappable, replacement, placing);
  const after = new GraphBuilder({ opset, prefix: `${prefix}out/` });
  const result = appendInverse(after, attended, output);
  return [
    ...nodes,
    ...after.fragment(),
    ...new GraphBuilder({ opset, prefix }).named('Identity', [result], output.tensor),
    ...Object.entries(projected?.outputs ?? {}).flatMap(([name, value]) =>
      new GraphBuilder({ opset, prefix: `${prefix}${name}/` }).named('Identity', [value], name),
    ),
  ];
}

/** Attention in the place of a site's own. */
export interface NewAttention {
  readonly nodes: readonly NodeProto[];
  readonly projected: Projected | undefined;
  /** `[batch, heads, queries, headDim]`, both. */
  readonly query: Value;
  readonly output: Value;
}

/** What a site asks of a kernel. */
export function kernelRequest(
  { site, plan }: SwappableSite,
  { variant, kernel, parameters, scaleFactor = 1 }: Replacement,
  opset: number,
): KernelGraphRequest {
  return {
    variant,
    kernel,
    parameters,
    heads: site.heads,
    kvHeads: site.kvHeads,
    headDim: site.headDim,
    causal: site.causal === true,
    selfAttention: site.selfAttention === true,
    masked: plan.mask !== undefined,
    biased: plan.bias !== undefined,
    window: site.window,
    dtype: site.dtype === 'f16' ? 'f16' : 'f32',
    scale: site.scale * scaleFactor,
    softcap: site.softcap,
    sinks: plan.sinks !== undefined,
    opset,
  };
}

/**
 * The nodes of new attention.
 * @param change what becomes of the queries first
 */
export function newAttention(
  swappable: SwappableSite,
  replacement: Replacement,
  { adapter, prefix, opset, seed }: Placing,
  change: (graph: GraphBuilder, at: { query: Value; key: Value }) => Value = (_, { query }) => query,
): NewAttention {
  const { site, plan } = swappable;
  const { variant, parameters } = replacement;
  const model = adapter.kernelGraph?.(kernelRequest(swappable, replacement, opset));
  if (model === undefined || 'unsupported' in model)
    throw new AttnswapError('UNSUPPORTED', model?.unsupported ?? `${adapter.name} has no kernels for models`);
  const before = new GraphBuilder({ opset, prefix: `${prefix}in/` });
  const projected = plan.project?.(before);
  const view = (part: 'query' | 'key' | 'value') =>
    appendView(before, projected === undefined ? plan[part] : { ...plan[part], tensor: projected[part] });
  const own = { query: view('query'), key: view('key') };
  const { key } = own;
  const query = change(before, own);
  const bound: Record<string, string> = { query, key, value: view('value') };
  if (plan.mask !== undefined) bound['mask'] = appendMask(before, plan.mask, { query, key });
  if (plan.bias !== undefined) bound['bias'] = plan.bias(before, { query, key });
  if (plan.sinks !== undefined) bound['sinks'] = appendSinks(before, plan.sinks, site);
  if (findVariant(variant).takesGate === true) Object.assign(bound, appendGate(before, site, { rank: parameters['rank'], seed }));
  const output = `${prefix}output`;
  const nodes = [...before.fragment(), ...spliceNodes(model, `${prefix}kernel/`, { ...bound, output })];
  return { nodes, projected, query, output };
}

/** The gate that a swap gives a site. @throws INVALID_PARAMETERS */
export function gateOf(
  { site, heads, kvHeads, headDim, dtype }: SwappableSite['site'],
  rank: Parameters[string] | undefined,
  seed: number,
): GateTensors {
  const type = dtype === 'f16' ? ('f16' as const) : ('f32' as const);
  const shape = { batch: 1, heads, kvHeads, queries: 1, keys: 1, headDim, causal: false, dtype: type };
  return drawGate(shape, typeof rank === 'number' ? rank : undefined, seed + site);
}

/** A gate drawn from the seed: untrained, so that it shows what a gate costs, not what it can do. */
function appendGate(
  graph: GraphBuilder,
  site: SwappableSite['site'],
  { rank, seed }: { rank: Parameters[string] | undefined; seed: number },
): Record<string, Value> {
  const { heads, headDim } = site;
  const gate = gateOf(site, rank, seed);
  const type = site.dtype === 'f16' ? 'f16' : 'f32';
  const tensor = (values: Float32Array, dims: readonly number[]) => {
    const shaped = graph.op('Reshape', [graph.float([...values]), graph.int(dims)]);
    return type === 'f16' ? graph.op('Cast', [shaped], { to: elementTypes.f16 }) : shaped;
  };
  const sizes = [heads, headDim, gate.rank];
  return { gate_u: tensor(gate.u, sizes), gate_w: tensor(gate.w, sizes), gate_b: tensor(gate.b, [heads]) };
}

/** The nodes that the outputs and the replaced tensors need, and of the old ones those that nothing needed before either. */
function prune(nodes: readonly NodeProto[], { node: old, output }: GraphProto, replaced: readonly string[]): NodeProto[] {
  const outputs = new Set(output.map(({ name }) => name));
  const needed = neededNodes(nodes, new Set([...outputs, ...replaced]));
  const before = new Set(old);
  const given = new Set(nodes.filter((node) => !before.has(node)).flatMap(({ output }) => output));
  const staying = stayingNodes(old, { outputs, needed, given });
  return nodes.filter((node) => needed.has(node) || staying.has(node));
}

function withMicrosoft({ opsetImport }: ModelProto, nodes: readonly NodeProto[]): ModelProto['opsetImport'] {
  const uses = (node: NodeProto): boolean => node.domain === 'com.microsoft' || node.attribute.some(({ g }) => g?.node.some(uses) === true);
  if (!nodes.some(uses) || opsetImport.some(({ domain }) => domain === 'com.microsoft')) return opsetImport;
  return [...opsetImport, create(OperatorSetIdProtoSchema, { domain: 'com.microsoft', version: 1n })];
}
