import type { Tensors } from '../../src/contract/tensor.ts';
import type { Architecture, Expected } from './architecture.ts';
import * as bmm3d from './bmm-3d.ts';
import * as crossAttention from './cross-attention.ts';
import * as decomposedSoftmax from './decomposed-softmax.ts';
import * as dynamicInt8 from './dynamic-int8.ts';
import * as dynamoLlama from './dynamo-llama.ts';
import * as dynamo from './dynamo.ts';
import * as f16 from './f16.ts';
import * as gqaRepeat from './gqa-repeat.ts';
import * as noAttention from './no-attention.ts';
import * as opset23 from './opset23.ts';
import * as ortFused from './ort-fused.ts';
import * as ortFusedUnmasked from './ort-fused-unmasked.ts';
import * as paddle from './paddle.ts';
import * as qdq from './qdq.ts';
import type { FeedRequest } from './sequences.ts';
import * as softmaxElsewhere from './softmax-elsewhere.ts';
import * as t5Bias from './t5-bias.ts';
import * as tf2onnxBert from './tf2onnx-bert.ts';
import * as tf2onnxEinsum from './tf2onnx-einsum.ts';
import * as torchMha from './torch-mha.ts';
import * as torchSdpa from './torch-sdpa.ts';
import * as torchscriptBert from './torchscript-bert.ts';
import * as torchscriptGatherMask from './torchscript-gather-mask.ts';
import * as torchscriptGpt2 from './torchscript-gpt2.ts';

/** A small model with seeded weights, as some exporter would write it. */
export interface TestModel {
  /** The same seed gives the same bytes. */
  build(options?: { seed?: number }): Uint8Array;
  feeds(at: FeedRequest): Tensors;
  /** What a finder of attention sites must report. */
  readonly expected: Expected;
  /** What it computes; absent where it is no transformer. */
  readonly design?: Architecture;
}

/** All models by name. */
export const models = {
  'torchscript-bert': torchscriptBert,
  'torchscript-gpt2': torchscriptGpt2,
  'torch-sdpa': torchSdpa,
  'torch-mha': torchMha,
  'torchscript-gather-mask': torchscriptGatherMask,
  dynamo,
  'dynamo-llama': dynamoLlama,
  'gqa-repeat': gqaRepeat,
  'tf2onnx-bert': tf2onnxBert,
  'tf2onnx-einsum': tf2onnxEinsum,
  paddle,
  'bmm-3d': bmm3d,
  'cross-attention': crossAttention,
  opset23,
  'ort-fused': ortFused,
  'ort-fused-unmasked': ortFusedUnmasked,
  f16,
  qdq,
  'dynamic-int8': dynamicInt8,
  't5-bias': t5Bias,
  'softmax-elsewhere': softmaxElsewhere,
  'decomposed-softmax': decomposedSoftmax,
  'no-attention': noAttention,
} as const satisfies Readonly<Record<string, TestModel>>;
export type TestModelName = keyof typeof models;
