import { TensorProto_DataType as DataType } from 'onnx-buf';
import type { NodeProto } from 'onnx-buf';
import { attributeOf, integerOf } from '../graph/graph-index.ts';
import { resizeRule, upsampleRule } from './opset13-resize.ts';
import { integerAttribute } from './rewrite-node.ts';
import type { NodeRewrite } from './rewrite-node.ts';

/** What replaces a node; undefined where it stays as it is. @throws INVALID_MODEL where nothing means the same */
export type UpgradeRule = (rewrite: NodeRewrite) => NodeProto[] | undefined;

/** An operator's rule, for nodes of opsets below `below`. */
export interface OperatorChange {
  readonly below: number;
  readonly rule: UpgradeRule;
}

/** Operators whose form or meaning changed in opsets 8 to 13. */
export const operatorChanges: ReadonlyMap<string, OperatorChange> = new Map<string, OperatorChange>([
  ['BatchNormalization', { below: 13, rule: batchNormalization }],
  ['Clip', { below: 11, rule: clip }],
  ['Dropout', { below: 12, rule: dropout }],
  ['Erf', { below: 13, rule: erf }],
  ['Hardmax', { below: 13, rule: flattening }],
  ['LogSoftmax', { below: 13, rule: flattening }],
  ['MeanVarianceNormalization', { below: 9, rule: refused('opset 9 changed the meaning of its attributes') }],
  ['Pad', { below: 11, rule: pad }],
  ['ReduceSum', { below: 13, rule: (rewrite) => listToInput(rewrite, 'axes') }],
  ['Resize', { below: 11, rule: resizeRule }],
  ['Scan', { below: 9, rule: refused('before opset 9 its inputs have a different order and a batch axis') }],
  ['Scatter', { below: 13, rule: (rewrite) => rewrite.end({ opType: 'ScatterElements' }) }],
  ['Slice', { below: 10, rule: slice }],
  ['Softmax', { below: 13, rule: flattening }],
  ['Split', { below: 13, rule: (rewrite) => listToInput(rewrite, 'split') }],
  ['Squeeze', { below: 13, rule: (rewrite) => listToInput(rewrite, 'axes') }],
  ['TopK', { below: 10, rule: topK }],
  ['Unsqueeze', { below: 13, rule: (rewrite) => listToInput(rewrite, 'axes') }],
  ['Upsample', { below: 13, rule: upsampleRule }],
]);

function refused(why: string): UpgradeRule {
  return (rewrite) => {
    throw rewrite.refusal(why);
  };
}

/** An attribute that became the second input: an absent list, or an empty one, is an absent input. */
function listToInput(rewrite: NodeRewrite, name: string): NodeProto[] | undefined {
  const list = attributeOf(rewrite.node, name);
  if (list === undefined) return undefined;
  const inputs = list.ints.length === 0 ? [] : [rewrite.integers(name, list.ints)];
  return rewrite.end({ input: [rewrite.node.input[0] ?? '', ...inputs], attribute: rewrite.without(name) });
}

function slice(rewrite: NodeRewrite): NodeProto[] {
  const lists = ['starts', 'ends', 'axes'].map((name) => [name, attributeOf(rewrite.node, name)?.ints] as const);
  if (lists[0]![1] === undefined || lists[1]![1] === undefined) throw rewrite.refusal('has no attributes starts and ends');
  const inputs = lists.flatMap(([name, list]) =>
    list === undefined || (name === 'axes' && list.length === 0) ? [] : [rewrite.integers(name, list)],
  );
  return rewrite.end({ input: [rewrite.node.input[0] ?? '', ...inputs], attribute: rewrite.without('starts', 'ends', 'axes') });
}

function topK(rewrite: NodeRewrite): NodeProto[] {
  const k = attributeOf(rewrite.node, 'k');
  if (k === undefined) throw rewrite.refusal('has no attribute k');
  return rewrite.end({ input: [rewrite.node.input[0] ?? '', rewrite.integers('k', [k.i])], attribute: rewrite.without('k') });
}

/** An absent bound was ±3.4·10³⁸ whatever the type; since opset 11 it is the type's own, which for float32 is the same. */
function clip(rewrite: NodeRewrite): NodeProto[] {
  const [data = ''] = rewrite.node.input;
  const single = rewrite.facts.get(data).type === DataType.FLOAT;
  const largest = 3.4028234663852886e38;
  const bound = (name: string, absent: number): string => {
    const given = attributeOf(rewrite.node, name)?.f;
    return given === undefined && single ? '' : rewrite.scalarLike(data, name, given ?? absent);
  };
  const inputs = [data, bound('min', -largest), bound('max', largest)];
  while (inputs.at(-1) === '') inputs.pop();
  return rewrite.end({ input: inputs, attribute: rewrite.without('min', 'max') });
}

function pad(rewrite: NodeRewrite): NodeProto[] {
  const pads = attributeOf(rewrite.node, 'pads')?.ints;
  if (pads === undefined) throw rewrite.refusal('has no attribute pads');
  const [data = ''] = rewrite.node.input;
  const mode = new TextDecoder().decode(attributeOf(rewrite.node, 'mode')?.s) || 'constant';
  const value = attributeOf(rewrite.node, 'value')?.f ?? 0;
  const inputs = [data, rewrite.integers('pads', pads)];
  if (mode === 'constant' && !Object.is(value, 0)) inputs.push(rewrite.scalarLike(data, 'value', value));
  return rewrite.end({ input: inputs, attribute: rewrite.without('pads', 'value') });
}

/** Nothing is dropped outside training. The mask had another type or other values before opset 12. */
function dropout(rewrite: NodeRewrite): NodeProto[] {
  const { input, output } = rewrite.node;
  if (output.slice(1).some((mask) => rewrite.isRead(mask)))
    throw rewrite.refusal('its mask output is used, and opset 12 changed what it holds');
  return rewrite.end({ input: input.slice(0, 1), output: output.slice(0, 1), attribute: [] });
}

function erf(rewrite: NodeRewrite): undefined {
  const { type } = rewrite.facts.get(rewrite.node.input[0] ?? '');
  const floats: readonly number[] = [DataType.FLOAT, DataType.FLOAT16, DataType.DOUBLE, DataType.BFLOAT16];
  if (type !== undefined && !floats.includes(type)) throw rewrite.refusal(`its input is ${DataType[type]}, which opset 13 does not accept`);
}

function batchNormalization(rewrite: NodeRewrite): NodeProto[] | undefined {
  if (rewrite.node.output.slice(1).some((name) => name !== '')) throw rewrite.refusal('has more than one output, as in training');
  if (attributeOf(rewrite.node, 'spatial') === undefined) return undefined;
  if (integerOf(rewrite.node, 'spatial', 1) === 0) throw rewrite.refusal('spatial is 0, which opset 9 removed');
  return rewrite.end({ attribute: rewrite.without('spatial') });
}

/** Before opset 13 the axes from `axis` on were taken as one; where that is the last axis alone, both mean the same. */
function flattening(rewrite: NodeRewrite): NodeProto[] | undefined {
  const axis = integerOf(rewrite.node, 'axis', 1);
  if (axis === -1) return undefined;
  const [data = ''] = rewrite.node.input;
  const last = [...rewrite.without('axis'), integerAttribute('axis', -1)];
  const rank = rewrite.facts.get(data).sizes?.length;
  if (rank !== undefined && axis === rank - 1) return rewrite.end({ attribute: last });
  const flat = rewrite.add('Flatten', [data], [integerAttribute('axis', axis)]);
  const result = rewrite.add(rewrite.node.opType, [flat], last);
  return rewrite.end({ opType: 'Reshape', input: [result, rewrite.add('Shape', [data])], attribute: [] });
}
