import type { FunctionProto, GraphProto, NodeProto } from 'onnx-buf';
import { nodeName, subgraphsOf } from '../graph/graph-index.ts';
import { invalidModel, quoted } from './invalid-model.ts';
import { nodeOnCycle } from './sort-nodes.ts';

export const maximumNameLength = 10_000;

/** Names that nodes of one graph may read: its own so far, and those of the graphs around it. */
interface Scope {
  readonly names: Set<string>;
  readonly parent: Scope | undefined;
  /** The nodes of this graph, for saying why a name is not there. */
  readonly nodes: readonly NodeProto[];
}

/**
 * A graph is in single static assignment form, and every tensor that is read is produced before, in subgraphs too: see sort-nodes.ts.
 * @throws INVALID_MODEL naming the node and the tensor
 */
export function checkGraph(graph: GraphProto, path: string, parent?: Scope): void {
  const scope: Scope = { names: new Set(), parent, nodes: graph.node };
  for (const { name } of graph.input) define(scope, name, { as: 'input', path });
  const constants = [...graph.initializer.map(({ name }) => name), ...graph.sparseInitializer.map(({ values }) => values?.name ?? '')];
  const inputs = new Set(scope.names);
  for (const name of constants) {
    // An initializer of an input's name is that input's default.
    if (inputs.delete(name)) continue;
    define(scope, name, { as: 'initializer', path });
  }
  for (const node of graph.node) checkNode(node, scope, path);
  for (const { name } of graph.output) {
    if (!visible(name, scope)) throw invalidModel(path, `graph output ${quoted(name)}: nothing produces it`);
  }
}

/** The same for a model's own function. @throws INVALID_MODEL */
export function checkFunction(definition: FunctionProto, path: string): void {
  const scope: Scope = { names: new Set(), parent: undefined, nodes: definition.node };
  for (const name of definition.input) define(scope, name, { as: 'input', path });
  for (const node of definition.node) checkNode(node, scope, path);
  for (const name of definition.output) {
    if (!visible(name, scope))
      throw invalidModel(path, `output ${quoted(name)} of function ${quoted(definition.name)}: nothing produces it`);
  }
}

function checkNode(node: NodeProto, scope: Scope, path: string): void {
  if (node.opType === '') throw invalidModel(path, `node ${quoted(nodeName(node))}: has no operator`);
  for (const text of [node.name, node.opType, node.domain]) checkName(text, path);
  for (const input of node.input) if (input !== '' && !visible(input, scope)) throw missing(node, input, scope, path);
  for (const graph of subgraphsOf(node)) checkGraph(graph, path, scope);
  for (const output of node.output) {
    if (output === '') continue;
    if (scope.parent !== undefined && visible(output, scope.parent))
      throw invalidModel(path, `node ${quoted(nodeName(node))}: output ${quoted(output)} is already defined in an enclosing graph`);
    define(scope, output, { as: `output of node ${quoted(nodeName(node))}`, path });
  }
}

function define(scope: Scope, name: string, { as, path }: { readonly as: string; readonly path: string }): void {
  checkName(name, path);
  if (scope.names.has(name)) throw invalidModel(path, `tensor ${quoted(name)} is defined twice (again as ${as}), expected once`);
  scope.names.add(name);
}

function visible(name: string, scope: Scope): boolean {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) if (at.names.has(name)) return true;
  return false;
}

function checkName(name: string, path: string): void {
  if (name.length > maximumNameLength)
    throw invalidModel(path, `name ${quoted(name)} has ${name.length} characters, expected at most ${maximumNameLength}`);
}

/** Why a tensor is not there, in sorted graphs: nothing makes it, or it depends on itself. */
function missing(node: NodeProto, input: string, scope: Scope, path: string): Error {
  const who = `node ${quoted(nodeName(node))} (${node.opType.slice(0, 100)}) reads ${quoted(input)}`;
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    const looped = at.nodes.some(({ output }) => output.includes(input)) ? nodeOnCycle(at.nodes) : undefined;
    if (looped !== undefined)
      return invalidModel(path, `node ${quoted(nodeName(looped))} is on a cycle: it depends on its own output; found as ${who}`);
  }
  return invalidModel(path, `${who}, which nothing produces`);
}
