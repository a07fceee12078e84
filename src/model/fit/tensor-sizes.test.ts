import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { TensorProto_DataType as DataType, TensorProtoSchema } from 'onnx-buf';
import { constantSizes } from './tensor-sizes.ts';

test('flags that choose between sizes are followed, however they are stored', () => {
  const shared = { dataType: DataType.BOOL, dims: [3n] };
  for (const data of [{ rawData: Uint8Array.of(1, 0, 1) }, { int32Data: [1, 0, 1] }]) {
    const { axes, values } = constantSizes(create(TensorProtoSchema, { ...shared, ...data }));
    assert.deepEqual(
      [axes, values].map((sizes) => sizes?.map((size) => size?.value)),
      [[3], [1, 0, 1]],
    );
  }
});
