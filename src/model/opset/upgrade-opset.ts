import type { AttributeProto, GraphProto, ModelProto, NodeProto } from 'onnx-buf';
import { AttnswapError } from '../../contract/errors.ts';
import { isStandardDomain } from '../file/check-model.ts';
import { copyMessage } from '../graph/copy-message.ts';
import { nodeName, readsOf, subgraphsOf } from '../graph/graph-index.ts';
import { inferNode } from './infer-facts.ts';
import { unchangedOperators } from './opset13-operators.ts';
import { operatorChanges } from './opset13-rules.ts';
import { NodeRewrite } from './rewrite-node.ts';
import { FactTable } from './tensor-facts.ts';

const oldestOpset = 7;
/** Each may become a handful of nodes; no exporter writes nearly as many. */
const maximumRewritten = 100_000;

/** What is the same all over a model. */
interface Upgrade {
  readonly opset: number;
  readonly rewritten: string[];
  readonly unique: (name: string) => string;
}

/**
 * Brings a model of opset 7 to 12 of the standard operators to opset 13, node by node, subgraphs too, such that it
 * computes the same to the bit in ONNX Runtime. Nodes that mean the same in both stay as they are; constants that are
 * needed become nodes of their own, so that inputs, initializers and IR version stay too. A model of opset 13 or more,
 * or without standard operators, comes back itself.
 * @param proto a model that was read by `readOnnxFile`; it is not changed
 * @returns the model, and the nodes that were rewritten: their names, or operator and first output where they have none
 * @throws INVALID_MODEL for an older opset, and where a node has no counterpart
 */
export function upgradeOpset(proto: ModelProto, to: 13): { readonly proto: ModelProto; readonly rewritten: readonly string[] } {
  const current = proto.opsetImport.find(({ domain }) => isStandardDomain(domain));
  if (current === undefined || current.version >= BigInt(to) || proto.graph === undefined) return { proto, rewritten: [] };
  if (current.version < BigInt(oldestOpset)) throw refusal(`opset is ${current.version}, expected ${oldestOpset} or more`);
  if (proto.functions.length > 0) throw refusal(`opset is ${current.version} and the model has functions, which need opset 15`);
  if (proto.trainingInfo.length > 0) throw refusal(`opset is ${current.version} and the model has training graphs`);
  const upgrade: Upgrade = { opset: Number(current.version), rewritten: [], unique: nameMaker(proto.graph) };
  const graph = upgradeGraph(proto.graph, upgrade);
  const opsetImport = proto.opsetImport.map((entry) => (entry === current ? copyMessage(entry, { version: BigInt(to) }) : entry));
  return { proto: copyMessage(proto, { graph, opsetImport }), rewritten: upgrade.rewritten };
}

function upgradeGraph(graph: GraphProto, upgrade: Upgrade, around?: FactTable): GraphProto {
  const facts = new FactTable(graph, around);
  const isRead = readerOf(graph);
  const node = graph.node.flatMap((old) => {
    const inner = withSubgraphs(old, (subgraph) => upgradeGraph(subgraph, upgrade, facts));
    const nodes = isStandardDomain(old.domain) ? upgradeNode(inner, { ...upgrade, facts, isRead }) : [inner];
    inferNode(old, facts);
    return nodes;
  });
  return copyMessage(graph, { node });
}

function upgradeNode(node: NodeProto, at: Upgrade & ConstructorParameters<typeof NodeRewrite>[1]): NodeProto[] {
  const change = operatorChanges.get(node.opType);
  const rewrite = new NodeRewrite(node, at);
  if (change === undefined && !unchangedOperators.has(node.opType)) throw rewrite.refusal('is not an operator of opsets 7 to 13');
  const nodes = change !== undefined && at.opset < change.below ? change.rule(rewrite) : undefined;
  if (nodes === undefined) return [node];
  if (at.rewritten.length === maximumRewritten) throw rewrite.refusal(`more than ${maximumRewritten} nodes would have to be rewritten`);
  at.rewritten.push(nodeName(node));
  return nodes;
}

/** The node itself where it has no subgraphs. */
function withSubgraphs(node: NodeProto, upgrade: (graph: GraphProto) => GraphProto): NodeProto {
  if (subgraphsOf(node).length === 0) return node;
  const attribute = node.attribute.map((old): AttributeProto => {
    const { g, graphs } = old;
    if (g === undefined && graphs.length === 0) return old;
    return copyMessage(old, { ...(g !== undefined && { g: upgrade(g) }), graphs: graphs.map(upgrade) });
  });
  return copyMessage(node, { attribute });
}

function readerOf(graph: GraphProto): (tensor: string) => boolean {
  let reads: Set<string> | undefined;
  return (tensor) => {
    reads ??= new Set([...graph.output.map(({ name }) => name), ...graph.node.flatMap((node) => [...readsOf(node)])]);
    return reads.has(tensor);
  };
}

/** Gives names that no tensor or node of the model has. */
function nameMaker(graph: GraphProto): (name: string) => string {
  const taken = new Set<string>();
  collectNames(graph, taken);
  return (wanted) => {
    let name = wanted;
    for (let count = 2; taken.has(name); count++) name = `${wanted}_${count}`;
    taken.add(name);
    return name;
  };
}

function collectNames(graph: GraphProto, names: Set<string>): void {
  for (const { name } of [...graph.input, ...graph.output, ...graph.initializer]) names.add(name);
  for (const node of graph.node) {
    for (const name of [node.name, ...node.input, ...node.output]) names.add(name);
    for (const subgraph of subgraphsOf(node)) collectNames(subgraph, names);
  }
}

function refusal(what: string): AttnswapError {
  return new AttnswapError('INVALID_MODEL', what, {
    hint: 'convert the model to opset 13 with another tool, such as Python’s onnx.version_converter.convert_version(model, 13), or export it again',
  });
}
