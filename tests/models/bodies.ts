import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
} from 'onnx-buf';
import type { GraphProto, NodeProto } from 'onnx-buf';
import { size } from './architecture.ts';
import { torchScript } from './exporters.ts';
import { GraphWriter } from './graph-writer.ts';
import { attributeProto, tensorProto, valueInfo } from './protos.ts';

const dims = ['batch', 'sequence', size.hidden] as const;

/** softmax(scale·x·xᵀ)·x of the outer `from`, as a graph with the output `to`. */
function attentionBody(from: string, to: string, scale = 1): GraphProto {
  const g = new GraphWriter(torchScript(14));
  g.scope = 'branch';
  const products = g.op('MatMul', [from, g.op('Transpose', [from], { perm: [0, 2, 1] })]);
  const logits = scale === 1 ? products : g.op('Mul', [products, g.float(scale)]);
  g.output(to, g.op('MatMul', [g.op('Softmax', [logits], { axis: -1 }), from]), 'f32', dims);
  const graph = fromBinary(ModelProtoSchema, g.bytes()).graph!;
  for (const node of graph.node) if (node.opType === 'Softmax') node.name = 'branch/Softmax';
  graph.name = `body of ${to}`;
  return graph;
}

/** Two rounds of attention, each on what the last one gave. */
function loopNode(output: string): { constants: GraphProto['initializer']; node: NodeProto } {
  const body = attentionBody('state', 'next');
  body.input = [valueInfo('round', 'i64', []), valueInfo('go', 'bool', []), valueInfo('state', 'f32', dims)];
  body.output = [valueInfo('goes', 'bool', []), ...body.output];
  body.node.push(create(NodeProtoSchema, { opType: 'Identity', name: 'branch/on', input: ['go'], output: ['goes'] }));
  const node = create(NodeProtoSchema, {
    opType: 'Loop',
    name: 'repeat',
    input: ['rounds', 'always', 'x'],
    output: [output],
    attribute: [graphAttribute('body', body)],
  });
  return { constants: [tensorProto('rounds', 'i64', [], [2]), tensorProto('always', 'bool', [], [1])], node };
}

function graphAttribute(name: string, g: GraphProto) {
  return create(AttributeProtoSchema, { name, type: AttributeType.GRAPH, g });
}

/** Attention in the body of a Loop. Outputs `y`. */
export function inLoop(): Uint8Array {
  const { constants, node } = loopNode('y');
  return model([node], { initializer: constants });
}

/** Attention in the body of a Scan, once for each of two steps. Outputs `y`. */
export function inScan(): Uint8Array {
  const body = attentionBody('state', 'next');
  body.input = [valueInfo('state', 'f32', dims), valueInfo('step', 'f32', [])];
  const node = create(NodeProtoSchema, {
    opType: 'Scan',
    name: 'sweep',
    input: ['x', 'steps'],
    output: ['y'],
    attribute: [graphAttribute('body', body), attributeProto('num_scan_inputs', 1)],
  });
  return model([node], { initializer: [tensorProto('steps', 'f32', [2], [0, 0])] });
}

/** How a branch is chosen: by the input `choice`, bool `[1]`, or always the first. */
export type Choice = 'by input' | 'always the first';

/** Attention in both branches of an If, with another scale in the second, or in a Loop in both. Outputs `y`. */
export function inBranches({ choice = 'by input', looped = false }: { choice?: Choice; looped?: boolean } = {}): Uint8Array {
  const { constants } = loopNode('');
  const branch = (name: string): GraphProto =>
    looped
      ? create(GraphProtoSchema, { name, node: [loopNode(name).node], output: [valueInfo(name, 'f32', dims)] })
      : attentionBody('x', name, name === 'no' ? 0.5 : 1);
  const choose = create(NodeProtoSchema, {
    opType: 'If',
    name: 'choose',
    input: [choice === 'by input' ? 'choice' : 'any'],
    output: ['y'],
    attribute: [graphAttribute('then_branch', branch('yes')), graphAttribute('else_branch', branch('no'))],
  });
  if (choice === 'by input') return model([choose], { initializer: constants, input: [valueInfo('choice', 'bool', [1])] });
  // A condition that is a constant would let the runtime put the branch in the If's place itself.
  const size = create(NodeProtoSchema, { opType: 'Size', name: 'size', input: ['x'], output: ['size'] });
  const compare = create(NodeProtoSchema, { opType: 'GreaterOrEqual', name: 'compare', input: ['size', 'zero'], output: ['any'] });
  return model([size, compare, choose], { initializer: [...constants, tensorProto('zero', 'i64', [], [0])] });
}

function model(
  node: NodeProto[],
  { initializer, input = [] }: Pick<GraphProto, 'initializer'> & Partial<Pick<GraphProto, 'input'>>,
): Uint8Array {
  const graph = create(GraphProtoSchema, {
    name: 'main_graph',
    node,
    initializer,
    input: [valueInfo('x', 'f32', dims), ...input],
    output: [valueInfo('y', 'f32', dims)],
  });
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, { irVersion: 8n, producerName: 'pytorch', opsetImport: [{ domain: '', version: 14n }], graph }),
  );
}
