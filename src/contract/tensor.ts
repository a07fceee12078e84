/** Element types of a model's inputs and outputs, as ONNX Runtime names them. */
export const tensorTypes = ['float32', 'float16', 'float64', 'int64', 'int32', 'int8', 'uint8', 'bool'] as const;
export type TensorType = (typeof tensorTypes)[number];

/** Row-major values; `float16` as bit patterns, `bool` as bytes 0 and 1. */
export type TensorData = Float32Array | Uint16Array | Float64Array | BigInt64Array | Int32Array | Int8Array | Uint8Array;

/** A dense tensor; `data` holds as many elements as the product of `dims`. */
export interface Tensor {
  readonly type: TensorType;
  readonly dims: readonly number[];
  readonly data: TensorData;
}

/** Tensors by the names of a model's inputs or outputs. */
export type Tensors = Readonly<Record<string, Tensor>>;
