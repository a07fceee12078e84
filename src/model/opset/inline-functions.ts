import { create } from '@bufbuild/protobuf';
import { NodeProtoSchema } from 'onnx-buf';
import type { AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto } from 'onnx-buf';
import { isStandardDomain } from '../file/check-model.ts';
import { copyMessage } from '../graph/copy-message.ts';
import { subgraphsOf } from '../graph/graph-index.ts';
import { namesIn } from '../graph/splice.ts';

/** Calls beyond this are not inlined: no exporter writes nearly as many. */
const mostCalls = 100_000;
/** Functions that call functions, one inside the other. */
const deepest = 64;

interface Inlining {
  readonly functions: ReadonlyMap<string, FunctionProto>;
  /** Begins every new name, and no other. */
  readonly prefix: string;
  readonly inlined: Set<string>;
  calls: number;
}

/**
 * Puts the nodes of a model's own functions in the place of their calls, bodies and functions that call functions included. A model with
 * functions of other operator versions than its own, or that call themselves, comes back itself.
 * @returns the model, and the names of the functions
 */
export function inlineFunctions(proto: ModelProto): { readonly proto: ModelProto; readonly inlined: readonly string[] } {
  const { graph, functions } = proto;
  if (graph === undefined || functions.length === 0 || !functions.every((each) => isCompatible(proto, each))) return { proto, inlined: [] };
  const at: Inlining = {
    functions: new Map(functions.map((each) => [keyOf(each.domain, each.name, each.overload), each])),
    prefix: freePrefix(namesIn(graph)),
    inlined: new Set(),
    calls: 0,
  };
  const inlined = inlineGraph(graph, at, 0);
  if (inlined === undefined) return { proto, inlined: [] };
  const own = new Set(proto.opsetImport.map(({ domain }) => domain));
  const added = functions
    .flatMap(({ opsetImport }) => opsetImport)
    .filter(({ domain }) => !own.has(domain) && own.add(domain) !== undefined);
  const opsetImport = [...proto.opsetImport, ...added];
  return { proto: copyMessage(proto, { graph: inlined, functions: [], opsetImport }), inlined: [...at.inlined] };
}

function keyOf(domain: string, name: string, overload: string): string {
  return JSON.stringify([isStandardDomain(domain) ? '' : domain, name, overload]);
}

function isCompatible({ opsetImport }: ModelProto, { opsetImport: own }: FunctionProto): boolean {
  const plain = (domain: string) => (isStandardDomain(domain) ? '' : domain);
  return own.every(({ domain, version }) => opsetImport.every((each) => plain(each.domain) !== plain(domain) || each.version === version));
}

/** Undefined where there are too many calls, or a function calls itself. */
function inlineGraph(graph: GraphProto, at: Inlining, depth: number): GraphProto | undefined {
  const node = inlineNodes(graph.node, at, depth);
  return node === undefined ? undefined : copyMessage(graph, { node });
}

function inlineNodes(nodes: readonly NodeProto[], at: Inlining, depth: number): NodeProto[] | undefined {
  const result: NodeProto[] = [];
  for (const node of nodes) {
    const called = at.functions.get(keyOf(node.domain, node.opType, node.overload));
    const inside = called === undefined ? withInlinedBodies(node, at, depth) : inlineCall(node, called, at, depth);
    if (inside === undefined) return undefined;
    result.push(...inside);
  }
  return result;
}

function withInlinedBodies(node: NodeProto, at: Inlining, depth: number): NodeProto[] | undefined {
  if (subgraphsOf(node).length === 0) return [node];
  const attribute: AttributeProto[] = [];
  for (const each of node.attribute) {
    const g = each.g === undefined ? undefined : inlineGraph(each.g, at, depth);
    const graphs = each.graphs.map((graph) => inlineGraph(graph, at, depth));
    if ((each.g !== undefined && g === undefined) || graphs.includes(undefined)) return undefined;
    attribute.push(
      each.g === undefined && graphs.length === 0
        ? each
        : copyMessage(each, { ...(g !== undefined && { g }), graphs: graphs as GraphProto[] }),
    );
  }
  return [copyMessage(node, { attribute })];
}

function inlineCall(call: NodeProto, called: FunctionProto, at: Inlining, depth: number): NodeProto[] | undefined {
  if (++at.calls > mostCalls || depth === deepest) return undefined;
  at.inlined.add(called.name);
  const prefix = `${at.prefix}${at.calls}.${called.name}/`;
  const bound = new Map<string, string>([
    ...called.output.flatMap((name, place): Array<[string, string]> => {
      const output = call.output[place] ?? '';
      return output === '' ? [] : [[name, output]];
    }),
    ...called.input.map((name, place): [string, string] => [name, call.input[place] ?? '']),
  ]);
  const given = new Map([...called.attributeProto, ...call.attribute].map((each) => [each.name, each]));
  const place: Place = { prefix, renamed: (name) => (name === '' ? '' : (bound.get(name) ?? `${prefix}${name}`)), given };
  const body = called.node.map((node) => placeNode(node, place));
  // An output that a function hands on from its inputs has no node that gives it.
  const passed = called.output.flatMap((name, position): NodeProto[] => {
    const output = call.output[position] ?? '';
    if (output === '' || !called.input.includes(name)) return [];
    return [create(NodeProtoSchema, { opType: 'Identity', name: `${prefix}${name}`, input: [place.renamed(name)], output: [output] })];
  });
  return inlineNodes([...body, ...passed], at, depth + 1);
}

function freePrefix(taken: ReadonlySet<string>): string {
  let prefix = 'inlined.';
  while ([...taken].some((name) => name.startsWith(prefix))) prefix = `${prefix}.`;
  return prefix;
}

/** How a function's nodes are put in the place of a call. */
interface Place {
  readonly prefix: string;
  readonly renamed: (name: string) => string;
  /** The attributes of the call, and the function's own where it gives none. */
  readonly given: ReadonlyMap<string, AttributeProto>;
}

function placeNode(node: NodeProto, place: Place): NodeProto {
  const { prefix, renamed } = place;
  return copyMessage(node, {
    name: node.name === '' ? '' : `${prefix}${node.name}`,
    input: node.input.map(renamed),
    output: node.output.map(renamed),
    attribute: node.attribute.flatMap((each) => placeAttribute(each, place)),
  });
}

function placeAttribute(attribute: AttributeProto, place: Place): AttributeProto[] {
  const { name, refAttrName, g, graphs } = attribute;
  if (refAttrName !== '') {
    const given = place.given.get(refAttrName);
    return given === undefined ? [] : [copyMessage(given, { name })];
  }
  if (g === undefined && graphs.length === 0) return [attribute];
  return [
    copyMessage(attribute, {
      ...(g !== undefined && { g: placeGraph(g, place) }),
      graphs: graphs.map((graph) => placeGraph(graph, place)),
    }),
  ];
}

function placeGraph(graph: GraphProto, place: Place): GraphProto {
  const named = <Entry extends { name: string }>(entries: readonly Entry[]): Entry[] =>
    entries.map((entry) => copyMessage(entry, { name: place.renamed(entry.name) } as Partial<Entry>));
  return copyMessage(graph, {
    node: graph.node.map((node) => placeNode(node, place)),
    initializer: named(graph.initializer),
    input: named(graph.input),
    output: named(graph.output),
    valueInfo: named(graph.valueInfo),
  });
}
