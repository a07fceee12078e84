import { create } from '@bufbuild/protobuf';
import { GraphProtoSchema } from 'onnx-buf';
import type { ModelProto, NodeProto } from 'onnx-buf';
import { AttnswapError } from '../../contract/errors.ts';
import type { DimensionSizes } from '../../inputs/model-inputs.ts';
import type { Candidate } from './candidate.ts';
import { GraphIndex, nodeName, subgraphsOf } from '../graph/graph-index.ts';
import { matchFused } from './match-fused.ts';
import { matchSoftmaxes } from './match-softmax.ts';
import type { Match, UnknownPattern } from './match-softmax.ts';
import type { OnnxFile } from '../file/onnx-file.ts';
import { overlookedAttention } from './overlooked.ts';
import type { ModelRunner } from '../file/open-proto.ts';
import { probeCandidates } from './probe-candidates.ts';
import type { ProbeCase } from './probe-inputs.ts';
import { proveLong } from './prove-long.ts';
import type { LongProof } from './prove-long.ts';
import { readSite } from './read-site.ts';
import type { Assumption, Site, SwappableSite } from './site.ts';
import { upgradeOpset } from '../opset/upgrade-opset.ts';

/** The attention of a model. */
export interface ModelSites {
  /** The model, brought to opset 13 at least: what swaps work on. */
  readonly proto: ModelProto;
  /** Nodes that were rewritten for it. */
  readonly rewritten: readonly string[];
  readonly sites: readonly Site[];
  /** Those that can be swapped, by number. */
  readonly swappable: ReadonlyMap<number, SwappableSite>;
  /** What weighs values by a softmax and is not attention as defined, and attention out of reach. */
  readonly unknown: readonly UnknownPattern[];
  /** A small run that shows every site at work; undefined where there is none. */
  readonly probe: ProbeCase | undefined;
}

export interface FindOptions {
  /** What the user knows of masks that runs do not settle: sites that rest on it say so. */
  readonly assumption?: Assumption | undefined;
  /** Called before each kind of run, with what it shows. */
  readonly onStep?: ((what: string) => void) | undefined;
}

/**
 * Finds every attention of a model by the shape of its graph, then runs the model on small drawn inputs to see what each one
 * does: heads, sizes, scale, mask and causality are read off the tensors, and the output must be softmax(scale·q·kᵀ)·v of them.
 * @param given sizes of dynamic dimensions, by name
 * @throws INVALID_MODEL; UNSUPPORTED; INVALID_INPUTS where it cannot be run, or lacks the input of an assumption
 */
export async function findSites(
  file: OnnxFile,
  runner: ModelRunner,
  given: DimensionSizes = {},
  { assumption, onStep }: FindOptions = {},
): Promise<ModelSites> {
  const { proto, rewritten } = upgradeOpset(file.proto, 13);
  const inputs = proto.graph!.input.map(({ name }) => name);
  if (assumption?.input !== undefined && !inputs.includes(assumption.input))
    throw new AttnswapError('INVALID_INPUTS', `the model has no input ${assumption.input}, expected one of ${inputs.join(', ')}`);
  const index = new GraphIndex(proto.graph!);
  const matches = matchSoftmaxes(index);
  const graphSites = matches.flatMap((match) => (match !== undefined && 'candidate' in match ? [match.candidate] : []));
  const candidates = inGraphOrder(index, [...graphSites, ...matchFused(index)]);
  const unknown = [
    ...matches.flatMap((match) => (match !== undefined && 'unknown' in match ? [match.unknown] : [])),
    ...overlookedAttention(index, matchedNodes(matches)),
    ...outOfReach(proto, index),
  ];
  if (candidates.length === 0) return { proto, rewritten, sites: [], swappable: new Map(), unknown, probe: undefined };
  const subject = { proto, file, index, candidates, runner, given, onStep };
  const probing = await probeCandidates(subject);
  const short = probing.probed.map((each, site) => readSite(each.candidate, site, each, assumption));
  const proofs = await proveLong(
    subject,
    probing,
    new Map(short.flatMap(({ site, swap }) => (swap === undefined || site.assumed !== undefined ? [] : [[site.site, swap]]))),
  );
  const read = short.map((each) => withProof(each, proofs.get(each.site.site)));
  const swappable = new Map(read.flatMap(({ swap }) => (swap === undefined ? [] : [[swap.site.site, swap] as const])));
  return { proto, rewritten, sites: read.map(({ site }) => site), swappable, unknown, probe: probing.first };
}

function matchedNodes(matches: readonly Match[]): Set<NodeProto> {
  return new Set(matches.flatMap((match) => (match === undefined ? [] : 'candidate' in match ? [match.candidate.anchor] : [match.anchor])));
}

/** A site as far as long runs bear out what short ones showed. */
function withProof({ site, swap }: ReturnType<typeof readSite>, proof: LongProof | undefined): ReturnType<typeof readSite> {
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

/** Attention in the bodies of loops and branches, and in functions of the model's own. */
function outOfReach(proto: ModelProto, index: GraphIndex): UnknownPattern[] {
  const functions = proto.functions.flatMap(({ node, name }) => {
    const body = new GraphIndex(create(GraphProtoSchema, { node }));
    return [...reachless(body, `it is inside the model's own function ${name}: inline that function first`), ...inBodies(body)];
  });
  return [...inBodies(index), ...functions];
}

/** Attention in the bodies of a graph's nodes, and in the bodies of theirs. */
function inBodies(index: GraphIndex): UnknownPattern[] {
  return index.graph.node.flatMap((node) =>
    subgraphsOf(node).flatMap((graph) => {
      const body = new GraphIndex(graph, index);
      return [...reachless(body, `it is inside the body of ${node.opType} ${nodeName(node)}`), ...inBodies(body)];
    }),
  );
}

function reachless(index: GraphIndex, reason: string): UnknownPattern[] {
  const softmaxes = matchSoftmaxes(index).flatMap((match) => {
    if (match === undefined) return [];
    return ['candidate' in match ? nodeName(match.candidate.anchor) : match.unknown.node];
  });
  const fused = matchFused(index).map(({ anchor }) => nodeName(anchor));
  return [...softmaxes, ...fused].map((node) => ({ node, reason }));
}
