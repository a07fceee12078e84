import { createHash } from 'node:crypto';
import { toBinary } from '@bufbuild/protobuf';
import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import {
  FunctionProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  SparseTensorProtoSchema,
  StringStringEntryProtoSchema,
  TensorProtoSchema,
  ValueInfoProtoSchema,
} from 'onnx-buf';
import type { GraphProto, ModelProto, NodeProto, TensorProto } from 'onnx-buf';
import { AttnswapError } from '../contract/errors.ts';
import { nodeName } from './graph-index.ts';

/** That a swap touched nothing but attention. */
export interface SwapProof {
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
 * carries attnswap's names, and what is gone is read by nothing. Of the constants in `recalibrated` the values may differ, and nothing else.
 * @throws INVALID_MODEL naming what differs
 */
export function proveUnchanged(before: ModelProto, after: ModelProto, recalibrated: ReadonlySet<string> = new Set()): SwapProof {
  const old = withoutValues(before.graph!, recalibrated);
  const fresh = withoutValues(after.graph!, recalibrated);
  const oldNodes = digested(NodeProtoSchema, old.node);
  const added = fresh.node.filter((node) => isOwn(node) && !oldNodes.has(digest(NodeProtoSchema, node)));
  const kept = fresh.node.filter((node) => !added.includes(node));
  const keptDigests = new Set(kept.map((node) => digest(NodeProtoSchema, node)));
  const foreign = kept.find((node) => !oldNodes.has(digest(NodeProtoSchema, node)));
  if (foreign !== undefined) throw changed(`node ${nodeName(foreign)} is not the original's`);
  const removed = old.node.filter((node) => !keptDigests.has(digest(NodeProtoSchema, node)));
  const initializers = digested(TensorProtoSchema, fresh.initializer);
  const oldInitializers = digested(TensorProtoSchema, old.initializer);
  const other = fresh.initializer.find((tensor) => !oldInitializers.has(digest(TensorProtoSchema, tensor)));
  if (other !== undefined) throw changed(`initializer ${other.name} is not the original's`);
  const gone = old.initializer.filter((tensor) => !initializers.has(digest(TensorProtoSchema, tensor)));
  const rest = { node: kept, initializer: fresh.initializer };
  const survived = {
    node: old.node.filter((node) => !removed.includes(node)),
    initializer: old.initializer.filter((tensor) => !gone.includes(tensor)),
  };
  const sha256 = summarize({ ...after, graph: fresh }, rest);
  if (sha256 !== summarize({ ...before, graph: old }, survived))
    throw changed('inputs, outputs, settings or the order of nodes are not the original’s');
  return {
    nodesKept: kept.length,
    nodesAdded: added.length,
    nodesRemoved: removed.map(nodeName),
    initializersKept: fresh.initializer.length,
    initializersRemoved: gone.map(({ name }) => name),
    sha256,
  };
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

function changed(what: string): AttnswapError {
  return new AttnswapError('INVALID_MODEL', `the swap changed more than attention: ${what}`);
}

function isOwn(node: NodeProto): boolean {
  return node.output.every((name) => name === '' || name.startsWith(ownPrefix)) || node.name.startsWith(ownPrefix);
}

function digest<Schema extends DescMessage>(schema: Schema, message: MessageShape<Schema>): string {
  return createHash('sha256').update(toBinary(schema, message)).digest('hex');
}

function digested<Schema extends DescMessage>(schema: Schema, messages: ReadonlyArray<MessageShape<Schema>>): Set<string> {
  return new Set(messages.map((message) => digest(schema, message)));
}

/** com.microsoft's operators may be imported newly; everything else counts. */
function summarize(model: ModelProto, { node, initializer }: Pick<NonNullable<ModelProto['graph']>, 'node' | 'initializer'>): string {
  const graph = model.graph!;
  const hash = createHash('sha256');
  const add = <Schema extends DescMessage>(schema: Schema, messages: ReadonlyArray<MessageShape<Schema>>) =>
    messages.forEach((message) => hash.update(digest(schema, message)));
  add(NodeProtoSchema, node);
  // Their order means nothing, and large ones are written last.
  add(
    TensorProtoSchema,
    initializer.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  );
  add(SparseTensorProtoSchema, graph.sparseInitializer);
  add(ValueInfoProtoSchema, [...graph.input, ...graph.output]);
  add(FunctionProtoSchema, model.functions);
  add(StringStringEntryProtoSchema, model.metadataProps);
  add(
    OperatorSetIdProtoSchema,
    model.opsetImport.filter(({ domain }) => domain !== 'com.microsoft'),
  );
  return hash
    .update(JSON.stringify([graph.name, String(model.irVersion), model.producerName, model.domain, String(model.modelVersion)]))
    .digest('hex');
}
