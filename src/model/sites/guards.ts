import type { GraphIndex } from '../graph/graph-index.ts';
import type { NodeProto } from 'onnx-buf';
import type { PathStep } from './logit-path.ts';

/** Operators that tell whether a row of logits or weights holds anything at all. */
const onGuards = new Set([
  'IsNaN',
  'IsInf',
  'Equal',
  'Not',
  'And',
  'Or',
  'Cast',
  'Identity',
  'Unsqueeze',
  'Squeeze',
  'ReduceMax',
  'ReduceMin',
  'ReduceSum',
]);

/**
 * Whether a step behind the softmax only takes NaN out of rows that see no key: its condition follows from the weights or logits themselves,
 * and from nothing else.
 * @param own tensors that hold them
 */
export function isGuard(index: GraphIndex, { node, carried }: PathStep, own: ReadonlySet<string>): boolean {
  if (node.opType !== 'Where' || carried === 0) return false;
  const seen = new Set([node.input[0]!]);
  let asks = false;
  for (const tensor of seen) {
    if (own.has(tensor) || index.isConstant(tensor)) continue;
    const producer = index.producer(tensor);
    if (producer === undefined || !onGuards.has(producer.opType)) return false;
    if (producer.opType === 'Equal' && !comparesInfinity(index, producer)) return false;
    asks ||= ['IsNaN', 'IsInf', 'Equal'].includes(producer.opType);
    for (const name of producer.input) if (name !== '') seen.add(name);
  }
  return asks;
}

function comparesInfinity(index: GraphIndex, node: NodeProto): boolean {
  if (node.opType !== 'Equal') return false;
  return node.input.some((name) => {
    const { floatData = [], rawData = new Uint8Array() } = index.constant(name) ?? {};
    return (
      floatData[0] === -Infinity ||
      (rawData.length >= 4 && new DataView(rawData.buffer, rawData.byteOffset).getFloat32(0, true) === -Infinity)
    );
  });
}
