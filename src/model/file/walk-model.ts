import type { GraphProto, ModelProto, NodeProto, SparseTensorProto } from 'onnx-buf';
import type { PlacedTensor } from './check-tensor.ts';
import { subgraphsOf } from '../graph/graph-index.ts';
import { quoted } from './invalid-model.ts';

/** Every tensor of a model: initializers and attributes, in subgraphs, functions and training graphs too. */
export function* tensorsOf(model: ModelProto): Generator<PlacedTensor> {
  if (model.graph !== undefined) yield* graphTensors(model.graph);
  for (const { node } of model.functions) for (const inner of node) yield* nodeTensors(inner);
  for (const { initialization, algorithm } of model.trainingInfo)
    for (const graph of [initialization, algorithm]) if (graph !== undefined) yield* graphTensors(graph);
}

function* graphTensors(graph: GraphProto): Generator<PlacedTensor> {
  for (const tensor of graph.initializer) yield { tensor, place: `initializer ${quoted(tensor.name)}` };
  for (const sparse of graph.sparseInitializer) yield* sparseParts(sparse, `sparse initializer ${quoted(sparse.values?.name ?? '')}`);
  for (const node of graph.node) yield* nodeTensors(node);
}

function* nodeTensors(node: NodeProto): Generator<PlacedTensor> {
  if (node.attribute.length === 0) return;
  for (const attribute of node.attribute) {
    const { t, tensors, sparseTensor, sparseTensors } = attribute;
    const place = (): string => `attribute ${quoted(attribute.name)} of node ${quoted(node.name || (node.output[0] ?? ''))}`;
    if (t !== undefined) yield { tensor: t, place: place() };
    for (const tensor of tensors) yield { tensor, place: place() };
    for (const sparse of sparseTensor === undefined ? sparseTensors : [sparseTensor, ...sparseTensors]) yield* sparseParts(sparse, place());
  }
  for (const graph of subgraphsOf(node)) yield* graphTensors(graph);
}

function* sparseParts({ values, indices }: SparseTensorProto, place: string): Generator<PlacedTensor> {
  if (values !== undefined) yield { tensor: values, place: `${place}, values` };
  if (indices !== undefined) yield { tensor: indices, place: `${place}, indices` };
}
