import { createHash } from 'node:crypto';
import { create, toBinary } from '@bufbuild/protobuf';
import { GraphProtoSchema, ModelProtoSchema, NodeProtoSchema, TensorProtoSchema } from 'onnx-buf';
import type { GraphProto, ModelProto, NodeProto, TensorProto } from 'onnx-buf';
import { nodeName, readsOf, subgraphsOf } from '../graph/graph-index.ts';
import { neededNodes, stayingNodes } from '../graph/needed-nodes.ts';
import { copyMessage } from '../graph/copy-message.ts';
import { changed, requireSameGraph, requireSameRest } from './same-rest.ts';

/** That a swap touched nothing but attention. */
export interface SwapProof {
  /** Of a model of PyTorch, nodes are modules, and initializers are parameters and buffers; absent of a graph. */
  readonly of?: 'modules';
  readonly nodesKept: number;
  readonly nodesAdded: number;
  /** What only the old attention needed. */
  readonly nodesRemoved: readonly string[];
  readonly initializersKept: number;
  readonly initializersRemoved: readonly string[];
  /** Over every kept node, initializer, input, output and setting: the same for both models. */
  readonly sha256: string;
}

/** Every node that attnswap puts into a model has a name that begins so. */
export const ownPrefix = 'attnswap/site';

/**
 * Proves that two models differ in attention alone: what is kept is byte for byte the same and in the same order, what is new
 * carries attnswap's names, and what is gone is exactly what only the replaced outputs needed. Of the constants in
 * `recalibrated` the values may differ, and nothing else.
 * @throws INVALID_MODEL naming what differs
 */
export function proveUnchanged(before: ModelProto, after: ModelProto, recalibrated: ReadonlySet<string> = new Set()): SwapProof {
  const old = withoutValues(before.graph!, recalibrated);
  const fresh = withoutValues(after.graph!, recalibrated);
  const { digest, ...proof } = proveGraph(old, fresh, digester());
  requireSameRest({ ...before, graph: old }, { ...after, graph: fresh });
  return { ...proof, sha256: sha256(Buffer.concat([Buffer.from(digest), summarize(after)])) };
}

interface GraphProof extends Omit<SwapProof, 'sha256'> {
  /** Over every kept node and initializer, and of bodies everything but what was added. */
  readonly digest: string;
}

function proveGraph(old: GraphProto, fresh: GraphProto, digestOf: DigestOf): GraphProof {
  const { kept, added } = sortNodes(fresh, new Set(old.node.map(digestOf)), digestOf);
  const keptDigests = new Set(kept.map(digestOf));
  const removed = old.node.filter((node) => !keptDigests.has(digestOf(node)));
  requireRemoved(old, { added, removed: new Set(removed) });
  const survivors = old.node.filter((node) => keptDigests.has(digestOf(node)));
  requireOrder(survivors, kept, digestOf);
  const gone = requireInitializers(old, fresh, removed);
  requireSameGraph(old, fresh);
  const bodies = survivors.flatMap((node, at) => proveBodies(node, kept[at]!, digestOf));
  const hash = createHash('sha256').update(toBinary(GraphProtoSchema, copyMessage(fresh, { node: [], initializer: [] })));
  for (const node of kept) hash.update(digestOf(node));
  // Their order means nothing, and large ones are written last.
  for (const digest of fresh.initializer.map(digestTensor).toSorted()) hash.update(digest);
  for (const { digest } of bodies) hash.update(digest);
  const sum = (count: (proof: GraphProof) => number) => bodies.reduce((total, body) => total + count(body), 0);
  return {
    nodesKept: kept.length + sum(({ nodesKept }) => nodesKept),
    nodesAdded: added.length + sum(({ nodesAdded }) => nodesAdded),
    nodesRemoved: [...removed.map(nodeName), ...bodies.flatMap(({ nodesRemoved }) => nodesRemoved)],
    initializersKept: fresh.initializer.length + sum(({ initializersKept }) => initializersKept),
    initializersRemoved: [...gone, ...bodies.flatMap(({ initializersRemoved }) => initializersRemoved)],
    digest: hash.digest('hex'),
  };
}

/** The proofs of the bodies of a node that is otherwise the same. */
function proveBodies(old: NodeProto, fresh: NodeProto, digestOf: DigestOf): GraphProof[] {
  const graphs = subgraphsOf(fresh);
  return subgraphsOf(old).map((graph, at) => proveGraph(graph, graphs[at]!, digestOf));
}

/** @throws INVALID_MODEL for a node that is neither the original's nor attnswap's */
function sortNodes(fresh: GraphProto, known: ReadonlySet<string>, digestOf: DigestOf): { kept: NodeProto[]; added: NodeProto[] } {
  const kept: NodeProto[] = [];
  const added: NodeProto[] = [];
  for (const node of fresh.node) {
    if (known.has(digestOf(node))) kept.push(node);
    else if (isOwn(node)) added.push(node);
    else throw changed(`node ${nodeName(node)} is not the original's`);
  }
  return { kept, added };
}

function requireOrder(survivors: readonly NodeProto[], kept: readonly NodeProto[], digestOf: DigestOf): void {
  const at = survivors.findIndex((node, place) => kept[place] === undefined || digestOf(node) !== digestOf(kept[place]));
  if (at >= 0) throw changed(`node ${nodeName(survivors[at]!)} has moved`);
  if (kept.length > survivors.length) throw changed(`node ${nodeName(kept[survivors.length]!)} appears twice`);
}

/** What is gone must be what nothing needs once the added nodes give the replaced outputs, with what cannot be without it; no more and no less. */
function requireRemoved(old: GraphProto, { added, removed }: { added: readonly NodeProto[]; removed: ReadonlySet<NodeProto> }): void {
  const given = new Set(added.flatMap(({ output }) => output));
  const outputs = new Set(old.output.map(({ name }) => name));
  const cut = old.node.filter(({ output }) => !output.some((name) => given.has(name)));
  const needed = neededNodes(cut, new Set([...outputs, ...added.flatMap((node) => [...readsOf(node)])]));
  const staying = stayingNodes(old.node, { outputs, needed, given });
  for (const node of old.node) {
    const replaced = node.output.some((name) => given.has(name));
    const unneeded = replaced || !staying.has(node);
    if (removed.has(node) && !unneeded) throw changed(`node ${nodeName(node)} is missing`);
    if (!removed.has(node) && unneeded) throw changed(`node ${nodeName(node)} remains although nothing needs it`);
  }
}

/** Names of the initializers that are gone: those that only removed nodes read. @throws INVALID_MODEL for any other change */
function requireInitializers(old: GraphProto, fresh: GraphProto, removed: readonly NodeProto[]): string[] {
  const kept = new Map(fresh.initializer.map((tensor) => [tensor.name, tensor]));
  const original = new Map(old.initializer.map((tensor) => [tensor.name, tensor]));
  for (const tensor of fresh.initializer) {
    const same = original.get(tensor.name);
    if (same === undefined || digestTensor(same) !== digestTensor(tensor))
      throw changed(`initializer ${tensor.name} is not the original's`);
  }
  if (kept.size < fresh.initializer.length) throw changed('an initializer appears twice');
  const readByRemoved = new Set(removed.flatMap((node) => [...readsOf(node)]));
  const readStill = new Set([...fresh.node.flatMap((node) => [...readsOf(node)]), ...fresh.output.map(({ name }) => name)]);
  const gone = old.initializer.map(({ name }) => name).filter((name) => !kept.has(name));
  const missing = gone.find((name) => !readByRemoved.has(name) || readStill.has(name));
  if (missing !== undefined) throw changed(`initializer ${missing} is missing`);
  return gone;
}

/** The graph with the values of some constants left out. */
function withoutValues(graph: GraphProto, names: ReadonlySet<string>): GraphProto {
  if (names.size === 0) return graph;
  const blank = (tensor: TensorProto): TensorProto => ({ ...tensor, rawData: new Uint8Array(), floatData: [] });
  return {
    ...graph,
    initializer: graph.initializer.map((tensor) => (names.has(tensor.name) ? blank(tensor) : tensor)),
    node: graph.node.map((node) => {
      if (node.opType !== 'Constant' || !names.has(node.output[0]!)) return node;
      return { ...node, attribute: node.attribute.map((value) => (value.t === undefined ? value : { ...value, t: blank(value.t) })) };
    }),
  };
}

function isOwn(node: NodeProto): boolean {
  return (
    node.name.startsWith(ownPrefix) || (node.output.length > 0 && node.output.every((name) => name === '' || name.startsWith(ownPrefix)))
  );
}

type DigestOf = (node: NodeProto) => string;

/** Each node's digest, its bodies left out, is taken once: proofs of large models compare them several times. */
function digester(): DigestOf {
  const known = new Map<NodeProto, string>();
  return (node) => {
    const digest = known.get(node) ?? sha256(toBinary(NodeProtoSchema, withoutBodies(node)));
    known.set(node, digest);
    return digest;
  };
}

function digestTensor(tensor: TensorProto): string {
  return sha256(toBinary(TensorProtoSchema, tensor));
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The node with empty graphs in the place of its bodies, which are proved apart. */
function withoutBodies(node: NodeProto): NodeProto {
  if (subgraphsOf(node).length === 0) return node;
  const empty = create(GraphProtoSchema);
  const attribute = node.attribute.map((each) =>
    copyMessage(each, { ...(each.g !== undefined && { g: empty }), graphs: each.graphs.map(() => empty) }),
  );
  return copyMessage(node, { attribute });
}

/** The model's settings but com.microsoft's import. */
function summarize(model: ModelProto): Uint8Array {
  const opsetImport = model.opsetImport.filter(({ domain }) => domain !== 'com.microsoft');
  return toBinary(ModelProtoSchema, copyMessage(model, { graph: create(GraphProtoSchema), opsetImport }));
}
