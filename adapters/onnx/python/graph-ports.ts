import { TensorProto_DataType as DataType } from 'onnx-buf';
import type { ValueInfoProto } from 'onnx-buf';
import type { ModelInput } from '../../../src/contract/adapter.ts';
import { AttnswapError } from '../../../src/contract/errors.ts';
import type { TensorType } from '../../../src/contract/tensor.ts';
import { readBytes } from '../../../src/files/read-bytes.ts';
import { maximumProtobufBytes, parseModel } from '../../../src/model/file/onnx-file.ts';
import type { GraphPorts } from '../../../src/protocol/worker-model.ts';

const types: Readonly<Partial<Record<DataType, TensorType>>> = {
  [DataType.FLOAT]: 'float32',
  [DataType.FLOAT16]: 'float16',
  [DataType.DOUBLE]: 'float64',
  [DataType.INT64]: 'int64',
  [DataType.INT32]: 'int32',
  [DataType.INT8]: 'int8',
  [DataType.UINT8]: 'uint8',
  [DataType.BOOL]: 'bool',
};

/**
 * What an ONNX model reads and gives, as its file says: a runtime may have other names for both, and none for sizes that may change.
 * @throws FILE_UNREADABLE, INVALID_MODEL; INVALID_INPUTS for an input of a type that cannot be given
 */
export async function portsOf(model: string | Uint8Array): Promise<GraphPorts> {
  const path = typeof model === 'string' ? model : 'model';
  const limit = { bytes: maximumProtobufBytes, hint: 'save the weights as external data' };
  const { graph } = parseModel(typeof model === 'string' ? await readBytes(model, limit) : new Uint8Array(model), path);
  const constants = new Set(graph!.initializer.map(({ name }) => name));
  return {
    inputs: graph!.input.filter(({ name }) => !constants.has(name)).map((input) => describe(input, path)),
    outputs: graph!.output.map(({ name }) => name),
  };
}

function describe({ name, type }: ValueInfoProto, path: string): ModelInput {
  const tensor = type?.value.case === 'tensorType' ? type.value.value : undefined;
  const known = types[(tensor?.elemType ?? DataType.UNDEFINED) as DataType];
  if (tensor === undefined || known === undefined) {
    const got = tensor === undefined ? 'not a tensor' : DataType[tensor.elemType];
    throw new AttnswapError('INVALID_INPUTS', `${path}: input ${name} is ${got}, expected a tensor of ${Object.values(types).join(', ')}`);
  }
  const dims = (tensor.shape?.dim ?? []).map(({ value }) =>
    value.case === 'dimParam' ? value.value : value.case === 'dimValue' && value.value > 0n ? Number(value.value) : '',
  );
  return { name, type: known, dims };
}
