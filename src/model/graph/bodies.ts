import { create } from '@bufbuild/protobuf';
import { GraphProtoSchema, NodeProtoSchema } from 'onnx-buf';
import type { GraphProto, ModelProto, NodeProto } from 'onnx-buf';
import { copyMessage } from './copy-message.ts';
import { attributeOf, nodeName } from './graph-index.ts';

/** A branch of an `If` in a model's own graph. */
export interface Body {
  /** First output of the `If`. */
  readonly of: string;
  readonly branch: 'then_branch' | 'else_branch';
}

/** Every branch of the `If` nodes of a graph. */
export function bodiesOf({ node }: GraphProto): Body[] {
  return node
    .filter(isBranching)
    .flatMap(({ output }) => (['then_branch', 'else_branch'] as const).map((branch) => ({ of: output[0]!, branch })));
}

function isBranching({ opType, domain }: NodeProto): boolean {
  return opType === 'If' && (domain === '' || domain === 'ai.onnx');
}

/** The `If` whose branch a body is. */
export function branchingNode(graph: GraphProto, { of }: Body): NodeProto {
  return graph.node.find((node) => isBranching(node) && node.output[0] === of)!;
}

/** The graph of a body; empty where a malformed `If` lacks the branch. */
export function bodyGraph(graph: GraphProto, body: Body): GraphProto {
  return attributeOf(branchingNode(graph, body), body.branch)?.g ?? create(GraphProtoSchema);
}

/** In words, where a body lies. */
export function bodyName(graph: GraphProto, body: Body): string {
  return `${body.branch} of If ${nodeName(branchingNode(graph, body))}`;
}

/** The model with another graph as a body. */
export function withBody(proto: ModelProto, body: Body, fresh: GraphProto): ModelProto {
  const graph = proto.graph!;
  const old = branchingNode(graph, body);
  const attribute = old.attribute.map((each) => (each.name === body.branch ? copyMessage(each, { g: fresh }) : each));
  const node = graph.node.map((each) => (each === old ? copyMessage(old, { attribute }) : each));
  return copyMessage(proto, { graph: copyMessage(graph, { node }) });
}

/**
 * The model as it computes where a branch is taken: the branch's own nodes, under their own names, stand in the place of the `If`.
 * Undefined where a name of the branch is one of the graph around it too.
 */
export function withBranchTaken(proto: ModelProto, body: Body): ModelProto | undefined {
  const graph = proto.graph!;
  const owner = branchingNode(graph, body);
  const inner = bodyGraph(graph, body);
  if (inner.output.length !== owner.output.length) return undefined;
  const outside = new Set([...graph.input, ...graph.initializer].map(({ name }) => name));
  for (const { output } of graph.node) for (const name of output) outside.add(name);
  const given = new Map(inner.output.map(({ name }, at) => [name, owner.output[at]!]));
  const names = [...inner.initializer.map(({ name }) => name), ...inner.node.flatMap(({ output }) => output)].filter((name) => name !== '');
  // Optimum's branches give their outputs under the names of the If's.
  if (names.some((name) => outside.has(name) && given.get(name) !== name)) return undefined;
  const renamed = inner.output.flatMap(({ name }, at) => {
    const output = owner.output[at]!;
    return output === '' || output === name
      ? []
      : [create(NodeProtoSchema, { opType: 'Identity', name: output, input: [name], output: [output] })];
  });
  return copyMessage(proto, {
    graph: copyMessage(graph, {
      node: graph.node.flatMap((node) => (node === owner ? [...inner.node, ...renamed] : [node])),
      initializer: [...graph.initializer, ...inner.initializer],
      sparseInitializer: [...graph.sparseInitializer, ...inner.sparseInitializer],
      valueInfo: [...graph.valueInfo, ...inner.valueInfo],
    }),
  });
}
