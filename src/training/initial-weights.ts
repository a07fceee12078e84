import { RandomStream } from '../inputs/random.ts';
import { floatsOf, openSafetensors, writeSafetensors } from '../inputs/safetensors.ts';
import { checkFinite, checkNames, checkWeights, elementsOf, weightsError } from './check-weights.ts';
import type { Weights } from './check-weights.ts';
import type { Task } from './task.ts';
import { parametersOf } from './testbed.ts';
import type { Testbed } from './testbed.ts';

/**
 * The testbed before training: a stream a parameter, so that a parameter more changes no other. Same seed, same bytes. `partsOf` tells which tokens
 * have what in common.
 */
export function initialWeights(testbed: Testbed, seed: number, { partsOf }: Pick<Task, 'partsOf'> = {}): Map<string, Float32Array> {
  const weights = new Map(
    parametersOf(testbed).map(({ name, shape, initial }) => {
      const values = new Float32Array(elementsOf(shape));
      if ('value' in initial) return [name, values.fill(initial.value)];
      return [name, new RandomStream(seed, `weights/${name}`).fillNormal(values, initial.deviation)];
    }),
  );
  return partsOf === undefined ? weights : weights.set('embed', sumsOfParts(testbed, seed, partsOf));
}

/** Embeddings of deviation 1, the sum of what each part is drawn as. */
function sumsOfParts({ vocabulary, width }: Testbed, seed: number, partsOf: NonNullable<Task['partsOf']>): Float32Array<ArrayBuffer> {
  const drawn = new Map<string, Float32Array>();
  const vectorOf = (part: string) => {
    const vector = drawn.get(part) ?? new RandomStream(seed, `weights/embed/${part}`).fillNormal(new Float32Array(width), 1);
    drawn.set(part, vector);
    return vector;
  };
  const embed = new Float32Array(vocabulary * width);
  for (let token = 0; token < vocabulary; token++) {
    const vectors = partsOf(token).map(vectorOf);
    for (let at = 0; at < width; at++)
      embed[token * width + at] = vectors.reduce((sum, vector) => sum + vector[at]!, 0) / Math.sqrt(vectors.length);
  }
  return embed;
}

/** Writes weights as safetensors, F32, in the order of {@link parametersOf}. @throws INVALID_INPUTS, FILE_UNWRITABLE */
export async function writeWeights(path: string, testbed: Testbed, weights: Weights): Promise<void> {
  checkWeights(testbed, weights, path);
  const tensors = parametersOf(testbed).map(({ name, shape }) => [name, { dtype: 'F32', shape, data: weights.get(name)! }] as const);
  await writeSafetensors(path, Object.fromEntries(tensors));
}

/**
 * Reads weights as {@link writeWeights} writes them, by whatever trainer.
 * @throws FILE_UNREADABLE, INVALID_SAFETENSORS; INVALID_INPUTS for other names, shapes, dtypes, and numbers that are not finite
 */
export async function readWeights(path: string, testbed: Testbed): Promise<Map<string, Float32Array>> {
  const file = await openSafetensors(path);
  try {
    checkNames(testbed, file.tensors.keys(), path);
    const weights = new Map<string, Float32Array>();
    for (const { name, shape } of parametersOf(testbed)) {
      const tensor = file.tensors.get(name)!;
      const [got, expected] = [`${tensor.dtype} [${tensor.shape.join(', ')}]`, `F32 [${shape.join(', ')}]`];
      if (got !== expected) throw weightsError(path, `${name} is ${got}, expected ${expected}`);
      const values = floatsOf(await file.bytes(tensor), 'F32');
      checkFinite(name, values, path);
      weights.set(name, values);
    }
    return weights;
  } finally {
    await file.close();
  }
}
