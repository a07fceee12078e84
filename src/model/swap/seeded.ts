import { create } from '@bufbuild/protobuf';
import { AttributeProto_AttributeType as AttributeType, AttributeProtoSchema } from 'onnx-buf';
import type { GraphProto, ModelProto, NodeProto } from 'onnx-buf';
import { copyMessage } from '../graph/copy-message.ts';
import { attributeOf, subgraphsOf } from '../graph/graph-index.ts';
import { random } from '../sites/value-reach.ts';

/** A model that draws the same random numbers in every session that makes the same calls; itself where it draws none. */
export function withSeeds(proto: ModelProto): ModelProto {
  return proto.graph !== undefined && draws(proto.graph) ? copyMessage(proto, { graph: seeded(proto.graph) }) : proto;
}

function draws({ node }: GraphProto): boolean {
  return node.some((each) => random.has(each.opType) || subgraphsOf(each).some(draws));
}

function seeded(graph: GraphProto): GraphProto {
  return copyMessage(graph, { node: graph.node.map(seededNode) });
}

function seededNode(node: NodeProto): NodeProto {
  if (random.has(node.opType) && attributeOf(node, 'seed') === undefined)
    return copyMessage(node, {
      attribute: [...node.attribute, create(AttributeProtoSchema, { name: 'seed', type: AttributeType.FLOAT, f: seedOf(node.output[0]!) })],
    });
  if (!subgraphsOf(node).some(draws)) return node;
  const attribute = node.attribute.map((each) =>
    copyMessage(each, { ...(each.g !== undefined && { g: seeded(each.g) }), graphs: each.graphs.map(seeded) }),
  );
  return copyMessage(node, { attribute });
}

/** A whole number of its own for most names, which f32 holds. */
function seedOf(name: string): number {
  let seed = 1;
  for (const letter of name) seed = (seed * 31 + letter.codePointAt(0)!) % 1_000_003;
  return seed;
}
