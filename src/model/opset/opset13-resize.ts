import { TensorProto_DataType as DataType } from 'onnx-buf';
import type { NodeProto } from 'onnx-buf';
import { attributeOf } from '../graph/graph-index.ts';
import { textAttribute } from './rewrite-node.ts';
import type { NodeRewrite } from './rewrite-node.ts';

/** Upsample of opset 7 has its scales as an attribute, of opset 9 as an input; none is below 1. */
export function upsampleRule(rewrite: NodeRewrite): NodeProto[] {
  const mode = modeOf(rewrite);
  const [data = '', given = ''] = rewrite.node.input;
  const list = attributeOf(rewrite.node, 'scales')?.floats;
  if (list === undefined && given === '') throw rewrite.refusal('has no scales');
  const scales = list === undefined ? given : rewrite.floats('scales', list);
  return rewrite.end({ opType: 'Resize', input: [data, '', scales], attribute: resizing(mode, 'floor') });
}

/**
 * Resize of opset 10 takes a pixel's place times the scale's inverse; the nearest pixel is the one below where an axis
 * grows, and the one above where it shrinks. Where scales may do both, axes shrink first and then grow.
 */
export function resizeRule(rewrite: NodeRewrite): NodeProto[] {
  const mode = modeOf(rewrite);
  const [data = '', scales = ''] = rewrite.node.input;
  const known = constantScales(rewrite, scales);
  const growsOnly = known?.every((scale) => scale >= 1) === true;
  if (mode === 'linear' || growsOnly) return rewrite.end({ input: [data, '', scales], attribute: resizing(mode, 'floor') });
  if (known?.every((scale) => scale <= 1) === true) return rewrite.end({ input: [data, '', scales], attribute: resizing(mode, 'ceil') });
  const one = rewrite.floats('one', [1]);
  const shrunk = rewrite.add('Resize', [data, '', rewrite.add('Min', [scales, one])], resizing(mode, 'ceil'));
  const growing = rewrite.add('Max', [scales, one]);
  return rewrite.end({ input: [shrunk, '', growing], attribute: resizing(mode, 'floor') });
}

function modeOf(rewrite: NodeRewrite): 'nearest' | 'linear' {
  const mode = new TextDecoder().decode(attributeOf(rewrite.node, 'mode')?.s) || 'nearest';
  if (mode === 'nearest' || mode === 'linear') return mode;
  throw rewrite.refusal(`mode is ${JSON.stringify(mode.slice(0, 40))}, expected nearest or linear`);
}

function resizing(mode: 'nearest' | 'linear', nearest: 'floor' | 'ceil'): NodeProto['attribute'] {
  const place = textAttribute('coordinate_transformation_mode', 'asymmetric');
  return [textAttribute('mode', mode), place, ...(mode === 'nearest' ? [textAttribute('nearest_mode', nearest)] : [])];
}

function constantScales({ facts }: NodeRewrite, name: string): readonly number[] | undefined {
  const tensor = facts.constant(name);
  if (tensor === undefined || tensor.dataType !== DataType.FLOAT) return undefined;
  if (tensor.rawData.length === 0) return tensor.floatData;
  const view = new DataView(tensor.rawData.buffer, tensor.rawData.byteOffset, tensor.rawData.byteLength);
  return Array.from({ length: Math.floor(view.byteLength / 4) }, (_, index) => view.getFloat32(4 * index, true));
}
