import type { ModelProto } from 'onnx-buf';
import { dimensionNames, requireDimensions } from '../inputs/dimension-names.ts';
import type { DimensionSizes } from '../inputs/model-inputs.ts';
import { readOnnxFile } from '../model/file/onnx-file.ts';
import type { OnnxFile } from '../model/file/onnx-file.ts';
import { dimensionsOf } from '../model/parts/join-models.ts';

/** A model that was read, or a file's path. */
type Source = Pick<OnnxFile, 'proto'> | string;

/**
 * Sizes must be of dimensions that an input of one of the models has. Files are read only if there is a size. Who opens a file says what is wrong with
 * it: where one cannot be read, nothing is refused, unless the others go on without it.
 * @param name of all of them
 * @throws USAGE
 */
export async function requireKnownDimensions(
  given: DimensionSizes | undefined,
  models: readonly Source[],
  name: string,
  { goesOn = false } = {},
): Promise<void> {
  if (Object.keys(given ?? {}).length === 0) return;
  const read = await Promise.all(models.map((model) => knownDimensions([model]).catch(() => undefined)));
  const known = read.filter((names) => names !== undefined);
  if (known.length === 0 || (known.length < models.length && !goesOn)) return;
  requireDimensions(given!, new Set(known.flatMap((names) => [...names])), name);
}

/** The names under which sizes of the models' dimensions can be given. @throws FILE_UNREADABLE, INVALID_MODEL */
export async function knownDimensions(models: readonly Source[]): Promise<ReadonlySet<string>> {
  const known = new Set<string>();
  for (const model of models) {
    const { proto } = typeof model === 'string' ? await readOnnxFile(model) : model;
    for (const dimension of dimensionNames(inputsOf(proto))) known.add(dimension);
  }
  return known;
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
