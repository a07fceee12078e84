import type { Exporter } from './graph-writer.ts';

/** PyTorch's first exporter: tensors are named by module and operator, small constants are nodes. */
export function torchScript(opset: number): Exporter {
  return {
    producer: 'pytorch',
    opset,
    irVersion: opset >= 15 ? 8 : 7,
    constants: 'nodes',
    weights: 'initializers',
    tensorName: ({ operator, scope, repeat }) => `${scope}/${operator}${repeat === 0 ? '' : `_${repeat}`}_output_0`,
    weightName: ({ name, use, serial }) => (use === 'MatMul' ? `onnx::MatMul_${serial}` : name),
  };
}

const dynamoNames: Readonly<Record<string, string>> = {
  Transpose: 'transpose',
  Reshape: 'view',
  Expand: 'expand',
  Unsqueeze: 'unsqueeze',
  Range: 'arange',
  LessOrEqual: 'le',
  And: 'bitwise_and',
  Relu: 'relu',
  LayerNormalization: 'layer_norm',
  Gather: 'embedding',
};

/** PyTorch's exporter with `dynamo=True`: no modules in names, every constant an initializer. */
export function dynamo(opset: number): Exporter {
  return {
    producer: 'pytorch',
    opset,
    irVersion: 10,
    constants: 'initializers',
    weights: 'initializers',
    tensorName: ({ operator, serial }) => `${dynamoNames[operator] ?? 'val'}_${serial}`,
    weightName: ({ name, use, serial }) => (use === 'MatMul' ? `val_${serial}` : name),
  };
}

/** tf2onnx: TensorFlow's names with slashes and output numbers. */
export const tensorFlow: Exporter = {
  producer: 'tf2onnx',
  opset: 13,
  irVersion: 7,
  constants: 'initializers',
  weights: 'initializers',
  tensorName: ({ operator, scope, repeat }) => `tf_model${scope}/${operator}${repeat === 0 ? '' : `_${repeat}`}:0`,
  weightName: ({ name }) => `tf_model/${name.replaceAll('.', '/')}/ReadVariableOp:0`,
};

/** Paddle2ONNX: weights too are nodes. */
export const paddle: Exporter = {
  producer: 'PaddlePaddle',
  opset: 9,
  irVersion: 8,
  constants: 'nodes',
  weights: 'nodes',
  tensorName: ({ operator, serial }) => `p2o.${operator}.${serial}`,
  weightName: ({ name, serial }) => `${name.endsWith('bias') ? 'linear' : 'param'}_${serial}.${name.endsWith('bias') ? 'b' : 'w'}_0`,
};

/** ONNX Runtime's graph optimiser, after it has fused attention. */
export const ortOptimizer: Exporter = { ...torchScript(17), producer: 'onnxruntime.transformers' };
