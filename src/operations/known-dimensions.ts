import type { ModelProto } from 'onnx-buf';
import { dimensionNames, requireDimensions } from '../inputs/dimension-names.ts';
import type { DimensionSizes } from '../inputs/model-inputs.ts';
import { readOnnxFile } from '../model/file/onnx-file.ts';
import type { OnnxFile } from '../model/file/onnx-file.ts';
import { dimensionsOf } from '../model/parts/join-models.ts';

/**
 * Sizes must be of dimensions that an input of one of the models has.
 * @param models those that were read, and paths of others, which are read only if there is a size; what is wrong with a file is left to who opens it
 * @param name of all of them
 * @throws USAGE
 */
export async function requireKnownDimensions(
  given: DimensionSizes | undefined,
  models: ReadonlyArray<Pick<OnnxFile, 'proto'> | string>,
  name: string,
): Promise<void> {
  if (Object.keys(given ?? {}).length === 0) return;
  const known = new Set<string>();
  for (const model of models) {
    const file = typeof model === 'string' ? await readOnnxFile(model).catch(() => undefined) : model;
    for (const dimension of file === undefined ? [] : dimensionNames(inputsOf(file.proto))) known.add(dimension);
  }
  requireDimensions(given!, known, name);
}

/** The inputs that a model has to be given, with what it declares of their axes. */
function inputsOf({ graph }: ModelProto) {
  const own = new Set(graph!.initializer.map(({ name }) => name));
  return graph!.input
    .filter(({ name }) => !own.has(name))
    .map((input) => ({
      name: input.name,
      dims: dimensionsOf(input).map(({ value }) => {
        if (value.case === 'dimParam') return value.value;
        return value.case === 'dimValue' && value.value >= 0n ? Number(value.value) : '';
      }),
    }));
}
