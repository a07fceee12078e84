/** Element types by their numbers in ONNX files (TensorProto.DataType). Apart from what builds graphs, which takes long to load. */
export const elementTypes = { f32: 1, f16: 10, i32: 6, i64: 7, bool: 9 } as const;
export type ElementType = keyof typeof elementTypes;
