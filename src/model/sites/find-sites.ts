import { create } from '@bufbuild/protobuf';
import { GraphProtoSchema } from 'onnx-buf';
import type { GraphProto, ModelProto, NodeProto } from 'onnx-buf';
import { AttnswapError } from '../../contract/errors.ts';
import type { DimensionSizes } from '../../inputs/model-inputs.ts';
import { areTied, attendsAcross, comeApart, isResampled, pickingQueries } from './across.ts';
import type { Candidate } from './candidate.ts';
import { bodyGraph, bodyName } from '../graph/bodies.ts';
import type { Body } from '../graph/bodies.ts';
import { GraphIndex, nodeName, subgraphsOf } from '../graph/graph-index.ts';
import { matchFused } from './match-fused.ts';
import { matchSoftmaxes } from './match-softmax.ts';
import type { Match, UnknownPattern } from './match-softmax.ts';
import type { OnnxFile } from '../file/onnx-file.ts';
import { overlookedAttention } from './overlooked.ts';
import type { ModelRunner } from '../file/open-proto.ts';
import { isRefused, saidBy } from './failing.ts';
import type { Probed, Probing, ProbeSubject } from './probe-candidates.ts';
import type { RealInputs } from './probe.ts';
import type { LongProof } from './judge-long.ts';
import { probeApart, proveApart, readApart, unreadSite } from './read-apart.ts';
import { unread } from './read-site.ts';
import { largestSteps, withoutRounding } from './rounding.ts';
import type { Rounding } from './rounding.ts';
import type { ReadSite as Read } from './read-site.ts';
import type { Assumption, Site, SwappableSite } from './site.ts';
import { branchScopes, takingBranch } from './scopes.ts';
import type { ProbedScope, Scope } from './scopes.ts';
import { inlineFunctions } from '../opset/inline-functions.ts';
import { upgradeOpset } from '../opset/upgrade-opset.ts';

/** The attention of a model. */
export interface ModelSites {
  /** The model, brought to opset 13 at least: what swaps work on. */
  readonly proto: ModelProto;
  /** Nodes that were rewritten for it. */
  readonly rewritten: readonly string[];
  /** The model's own functions that were inlined for it. */
  readonly inlined: readonly string[];
  readonly sites: readonly Site[];
  /** Those that can be swapped, by number. */
  readonly swappable: ReadonlyMap<number, SwappableSite>;
  /** What weighs values by a softmax and is not attention as defined, and attention out of reach. */
  readonly unknown: readonly UnknownPattern[];
  /** The graphs that the sites lie in. */
  readonly scopes: readonly ProbedScope[];
}

export interface FindOptions {
  /** What the user knows of masks that runs do not settle: sites that rest on it say so. */
  readonly assumption?: Assumption | undefined;
  /** Inputs of the user's own, for a model that runs on none that are drawn. */
  readonly realInputs?: RealInputs | undefined;
  /** Called before each kind of run, with what it shows. */
  readonly onStep?: ((what: string) => void) | undefined;
}

/**
 * Finds every attention of a model by the shape of its graph, then runs the model on small drawn inputs to see what each one
 * does: heads, sizes, scale, mask and causality are read off the tensors, and the output must be softmax(scale·q·kᵀ)·v of them.
 * A branch of an `If` is searched like a model of its own: the model as it computes where that branch is taken.
 * @param given sizes of dynamic dimensions, by name
 * @throws INVALID_MODEL; UNSUPPORTED; INVALID_INPUTS where it cannot be run, or lacks the input of an assumption
 */
export async function findSites(
  file: OnnxFile,
  runner: ModelRunner,
  given: DimensionSizes = {},
  options: FindOptions = {},
): Promise<ModelSites> {
  const { proto: upgraded, rewritten } = upgradeOpset(file.proto, 13);
  const { proto, inlined } = inlineFunctions(upgraded);
  const inputs = proto.graph!.input.map(({ name }) => name);
  const assumed = options.assumption?.input;
  if (assumed !== undefined && !inputs.includes(assumed))
    throw new AttnswapError('INVALID_INPUTS', `the model has no input ${assumed}, expected one of ${inputs.join(', ')}`);
  const { proto: unrounded, roundings } = withoutRounding(proto);
  const searching: Searching = { proto, file, runner, given, options, roundings };
  const found = [await searchScope(searching, { proto: unrounded }, 0)];
  const index = new GraphIndex(proto.graph!);
  const holdsAttention = (graph: GraphProto) => Object.values(reachless(new GraphIndex(graph, index), { reason: '' })).flat().length > 0;
  for (const scope of branchScopes(proto, holdsAttention))
    found.push(await searchBranch(searching, scope, found.flatMap(({ read }) => read).length));
  const read = found.flatMap((each) => each.read);
  const swappable = new Map(read.flatMap(({ swap }) => (swap === undefined ? [] : [[swap.site.site, swap] as const])));
  const searched = new Set(found.flatMap(({ body }) => (body === undefined ? [] : [bodyGraph(proto.graph!, body)])));
  const beyond = outOfReach(proto, searched);
  return {
    proto,
    rewritten,
    inlined,
    sites: [...read.map(({ site }) => site), ...beyond.flatMap(({ sites }) => sites)].map((site, number) => ({ ...site, site: number })),
    swappable,
    unknown: [...found, ...beyond].flatMap(({ unknown }) => unknown),
    scopes: found.flatMap(({ scope }) => scope ?? []),
  };
}

interface Searching {
  readonly proto: ModelProto;
  readonly file: OnnxFile;
  readonly runner: ModelRunner;
  readonly given: DimensionSizes;
  readonly options: FindOptions;
  /** Of softmaxes in the model's own graph whose quantizers the search leaves out, by output. */
  readonly roundings: ReadonlyMap<string, Rounding>;
}

/** What was found in one graph. */
interface Found {
  readonly body?: Body | undefined;
  readonly read: readonly Read[];
  readonly unknown: readonly UnknownPattern[];
  readonly scope?: ProbedScope;
}

/** A branch that cannot be run is told, with the attention in it, and keeps nothing else from being swapped. */
async function searchBranch(searching: Searching, scope: Scope, start: number): Promise<Found> {
  try {
    return await searchScope(searching, scope, start);
  } catch (error) {
    if (!isRefused(error)) throw error;
    const graph = searching.proto.graph!;
    const body = bodyName(graph, scope.body!);
    const index = new GraphIndex(bodyGraph(graph, scope.body!), new GraphIndex(graph));
    const { sites, unknown } = reachless(index, { body, reason: `it is inside the ${body}, and ${saidBy(error)}` });
    return { body: scope.body, read: sites.map((site, place) => ({ site: { ...site, site: start + place } })), unknown };
  }
}

async function searchScope(searching: Searching, { proto, body }: Scope, start: number): Promise<Found> {
  const { file, runner, given, options } = searching;
  const { assumption, realInputs, onStep } = options;
  const index = new GraphIndex(proto.graph!);
  const inside = new Set(body === undefined ? proto.graph!.node : bodyGraph(searching.proto.graph!, body).node);
  const matches = matchSoftmaxes(index).filter((match) => match !== undefined && inside.has(anchorOf(match)));
  const graphSites = matches.flatMap((match) => (match !== undefined && 'candidate' in match ? [match.candidate] : []));
  const fused = matchFused(index).filter(({ anchor }) => inside.has(anchor));
  const candidates = inGraphOrder(index, [...graphSites, ...fused]);
  const known = new Set([...matches.map((match) => anchorOf(match!)), ...proto.graph!.node.filter((node) => !inside.has(node))]);
  const unknown = [
    ...matches.flatMap((match) => (match !== undefined && 'unknown' in match ? [match.unknown] : [])),
    ...overlookedAttention(index, known),
  ];
  if (candidates.length === 0) return { body, read: [], unknown };
  const subject = { proto, file, index, candidates, runner, given, realInputs, onStep };
  const apart = await probeApart(subject).catch((error: unknown) => {
    if (!isRefused(error) || candidates.some(({ refusal }) => refusal === undefined)) throw error;
    return undefined;
  });
  if (apart === undefined) return { body, read: candidates.map((candidate, place) => unreadSite(candidate, start + place)), unknown };
  const { probing, faults } = apart;
  const numbers = candidates.flatMap((candidate, place) => (faults.has(candidate) ? [] : [start + place]));
  const short = probing.probed.map((each, place) => readApart(numbers[place]!, each, { assumption }));
  const picksQueries = pickingQueries(index);
  const proven = (await provenSites(subject, probing, short)).map((each, place) => {
    const probed = probing.probed[place]!;
    const { candidate } = probed;
    const isAcross = crosses(index, each.site, probed, { ...probing, given });
    const whole = isAcross ? across(each) : each;
    const told = picksQueries(candidate) ? someQueries(whole) : whole;
    const rounding = searching.roundings.get(candidate.anchor.output[0]!);
    return rounding === undefined || body !== undefined ? told : rounded(told, rounding);
  });
  const read = candidates.map((candidate, place) => {
    const fault = faults.get(candidate);
    return fault === undefined ? proven[numbers.indexOf(start + place)]! : unreadSite(candidate, start + place, fault);
  });
  if (body === undefined) return { read, unknown, scope: { proto, probe: probing.first } };
  const told = read.map((each) => inBody(each, searching.proto, body));
  const probe = await takingBranch(probing.first, body, searching);
  if (probe !== undefined) return { body, read: told, unknown, scope: { body, proto, probe } };
  const never = { swappable: false, reason: `no run was found that takes the ${bodyName(searching.proto.graph!, body)}` };
  return { body, read: told.map(({ site }) => ({ site: { ...site, ...never } })), unknown };
}

function anchorOf(match: NonNullable<Match>): NodeProto {
  return 'candidate' in match ? match.candidate.anchor : match.anchor;
}

/** Whether queries do not stand, one by one, for the last of a site's keys. What is causal, or a window, says that they do. */
function crosses(index: GraphIndex, site: Site, probed: Probed, sizing: Parameters<typeof areTied>[2]): boolean {
  const { candidate, views } = probed;
  const isOrdered = site.causal === true || site.mask === 'window';
  if (site.selfAttention === false) return attendsAcross(index, candidate) || (!isOrdered && isResampled(index, probed));
  if (views === undefined || site.selfAttention === null || isOrdered) return false;
  return attendsAcross(index, candidate) && (comeApart(index, candidate) || areTied(index, views, sizing));
}

function across({ site, swap }: Read): Read {
  const crossAttention = true as const;
  return { site: { ...site, crossAttention }, ...(swap !== undefined && { swap: { ...swap, site: { ...swap.site, crossAttention } } }) };
}

/** Runs in which all positions were picked do not show that queries are not keys in order: a mask that was read off them holds only as a bias. */
function someQueries({ site, swap }: Read): Read {
  const told = { selfAttention: false, crossAttention: true, someQueries: true } as const;
  if (swap !== undefined && (site.causal === true || site.mask === 'window')) {
    const reason = 'its queries are picked by what the model computes, and its mask is known only where all of them are picked';
    return { site: { ...site, ...told, swappable: false, reason } };
  }
  return { site: { ...site, ...told }, ...(swap !== undefined && { swap: { ...swap, site: { ...swap.site, ...told } } }) };
}

function rounded({ site, swap }: Read, rounding: Rounding): Read {
  const rounds = largestSteps(rounding);
  if (swap === undefined) return { site: { ...site, rounds } };
  return { site: { ...site, rounds }, swap: { site: { ...swap.site, rounds }, plan: { ...swap.plan, rounding } } };
}

function inBody({ site, swap }: Read, { graph }: ModelProto, body: Body): Read {
  const told = { body: bodyName(graph!, body) };
  if (swap === undefined) return { site: { ...site, ...told } };
  return { site: { ...site, ...told }, swap: { site: { ...swap.site, ...told }, plan: { ...swap.plan, body } } };
}

/**
 * Sites as far as long runs bear them out; what is assumed is not asked. A mask that long runs show to be another than short ones is a window
 * if it is shown to be one in all of them, and else handed on as it is.
 */
async function provenSites(subject: ProbeSubject, probing: Probing, short: readonly Read[]): Promise<Read[]> {
  const proven = [...short];
  let open = new Map(short.entries());
  while (open.size > 0) {
    const sites = [...open].flatMap(([place, { swap }]) =>
      swap === undefined || swap.site.assumed !== undefined ? [] : [[place, swap] as const],
    );
    const proofs = await proveApart(subject, probing, new Map(sites));
    const again = new Map<number, Read>();
    for (const [place, each] of open) {
      const proof = proofs.get(place);
      proven[place] = withProof(each, proof);
      if (proof?.problem === undefined || each.site.mask === 'bias') continue;
      const window = each.site.mask === 'window' ? undefined : proof.window;
      again.set(place, readApart(each.site.site, probing.probed[place]!, { beyond: proof.problem, window }));
    }
    open = again;
  }
  return proven;
}

/** A site as far as long runs bear out what short ones showed. */
function withProof({ site, swap }: Read, proof: LongProof | undefined): Read {
  if (swap === undefined || proof === undefined) return { site, ...(swap !== undefined && { swap }) };
  const { length, problem } = proof;
  if (problem !== undefined) return { site: { ...site, mask: 'other', causal: null, swappable: false, reason: problem } };
  const proven = length === undefined ? {} : { provenLength: length };
  return { site: { ...site, ...proven }, swap: { ...swap, site: { ...swap.site, ...proven } } };
}

function inGraphOrder({ graph }: GraphIndex, candidates: readonly Candidate[]): Candidate[] {
  const place = new Map(graph.node.map((node, at) => [node, at]));
  return candidates.toSorted((a, b) => place.get(a.anchor)! - place.get(b.anchor)!);
}

/** Attention that no run shows: sites that cannot be swapped, whose numbers are still to come, and what else weighs values by a softmax. */
interface Reachless {
  readonly sites: readonly Site[];
  readonly unknown: readonly UnknownPattern[];
}

/** Attention in bodies that were not searched, and in functions of the model's own. */
function outOfReach(proto: ModelProto, searched: ReadonlySet<GraphProto>): Reachless[] {
  const functions = proto.functions.flatMap(({ node, name }) => {
    const body = new GraphIndex(create(GraphProtoSchema, { node }));
    const place = { body: `function ${name}`, reason: `it is inside the model's own function ${name}: inline that function first` };
    return [reachless(body, place), ...inBodies(body, searched)];
  });
  return [...inBodies(new GraphIndex(proto.graph!), searched), ...functions];
}

/** Attention in the bodies of a graph's nodes, and in the bodies of theirs. */
function inBodies(index: GraphIndex, searched: ReadonlySet<GraphProto>): Reachless[] {
  return index.graph.node.flatMap((node) =>
    subgraphsOf(node).flatMap((graph) => {
      const body = new GraphIndex(graph, index);
      if (searched.has(graph)) return inBodies(body, searched);
      const name = `body of ${node.opType} ${nodeName(node)}`;
      const own = reachless(body, { body: name, reason: `it is inside the ${name}` });
      const known = new Set(matchSoftmaxes(body).flatMap((match) => (match === undefined ? [] : [anchorOf(match)])));
      return [own, { sites: [], unknown: overlookedAttention(body, known) }, ...inBodies(body, searched)];
    }),
  );
}

function reachless(index: GraphIndex, { body, reason }: { readonly body?: string; readonly reason: string }): Reachless {
  const matches = matchSoftmaxes(index).filter((match) => match !== undefined);
  const candidates = [...matches.flatMap((match) => ('candidate' in match ? [match.candidate] : [])), ...matchFused(index)];
  const told = { ...unread, ...(body !== undefined && { body }), reason };
  return {
    sites: inGraphOrder(index, candidates).map(({ anchor, pattern }) => ({ site: 0, node: nodeName(anchor), pattern, ...told })),
    unknown: matches.flatMap((match) => ('unknown' in match ? [{ node: match.unknown.node, reason }] : [])),
  };
}
