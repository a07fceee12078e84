import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { ModelProtoSchema, TensorProto_DataType as DataType } from 'onnx-buf';
import type { GraphProtoSchema, NodeProtoSchema } from 'onnx-buf';
import * as dynamicInt8 from '../../../tests/models/dynamic-int8.ts';
import * as f16 from '../../../tests/models/f16.ts';
import * as decoder from '../../../tests/models/gqa-decoder.ts';
import * as qdq from '../../../tests/models/qdq.ts';
import * as bert from '../../../tests/models/torchscript-bert.ts';
import { parseModel } from '../file/onnx-file.ts';
import { isCoarse } from './quantizes.ts';

type Graph = MessageInitShape<typeof GraphProtoSchema>;
type Node = MessageInitShape<typeof NodeProtoSchema>;

const ofGraph = (graph: Graph) => isCoarse(create(ModelProtoSchema, { graph }));
const ofNodes = (...node: Node[]) => ofGraph({ node });

test('whole models: quantized and half-precision ones are coarse, f32 ones are not', () => {
  const coarse = [dynamicInt8, qdq, f16, bert, decoder].map(({ build }) => isCoarse(parseModel(Uint8Array.from(build()), 'model.onnx')));
  assert.deepEqual(coarse, [true, true, true, false, false]);
});

test('every operator on quantized numbers counts, without a quantizer beside it', () => {
  const coarse = ['DequantizeLinear', 'MatMulNBits', 'MatMulBnb4', 'MatMulInteger', 'MatMulIntegerToFloat', 'ConvInteger', 'QLinearConv'];
  for (const opType of [...coarse, 'QAttention', 'QGemm', 'GatherBlockQuantized', 'DynamicQuantizeLSTM', 'DequantizeBFP', 'QMoE'])
    assert.ok(ofNodes({ opType }), opType);
  for (const opType of ['MatMul', 'QuickGelu', 'Attention', 'GroupQueryAttention', 'Gather', 'LSTM'])
    assert.ok(!ofNodes({ opType }), opType);
});

test('half precision counts wherever it is written: inputs, weights, constants, casts, bodies and functions', () => {
  const half = { dataType: DataType.FLOAT16 };
  const cast = (to: DataType): Node => ({ opType: 'Cast', attribute: [{ name: 'to', i: BigInt(to) }] });
  const branch = (graph: Graph): Node => ({ opType: 'If', attribute: [{ name: 'then_branch', g: graph }] });
  const input = (elemType: DataType) => [{ name: 'x', type: { value: { case: 'tensorType' as const, value: { elemType } } } }];
  assert.ok(ofGraph({ initializer: [half] }));
  assert.ok(ofGraph({ input: input(DataType.BFLOAT16) }));
  assert.ok(ofNodes({ opType: 'Constant', attribute: [{ name: 'value', t: half }] }));
  assert.ok(ofNodes(cast(DataType.FLOAT8E4M3FN)));
  assert.ok(ofNodes(branch({ initializer: [half] })));
  assert.ok(ofNodes(branch({ node: [{ opType: 'MatMulNBits' }] })));
  assert.ok(isCoarse(create(ModelProtoSchema, { graph: {}, functions: [{ node: [cast(DataType.FLOAT16)] }] })));
  // f32 and whole numbers alone.
  assert.ok(!ofGraph({ input: input(DataType.INT64), initializer: [{ dataType: DataType.FLOAT }, { dataType: DataType.INT8 }] }));
  assert.ok(!ofNodes(cast(DataType.FLOAT), cast(DataType.INT64), branch({ initializer: [{ dataType: DataType.FLOAT }] })));
});
