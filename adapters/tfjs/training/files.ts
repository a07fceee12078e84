import { floatsOf, openSafetensors } from '../../../src/inputs/safetensors.ts';
import type { SafetensorsFile } from '../../../src/inputs/safetensors.ts';
import { AttnswapError } from '../../../src/contract/errors.ts';
import type { Testbed } from '../../../src/contract/testbed.ts';
import type { TaskItems } from '../../../src/training/task.ts';

/** Every tensor of a file as f32. @throws FILE_UNREADABLE, INVALID_SAFETENSORS */
export async function readFloats(path: string): Promise<Map<string, Float32Array>> {
  return reading(path, async (file) => {
    const tensors = new Map<string, Float32Array>();
    for (const [name, tensor] of file.tensors) tensors.set(name, floatsOf(await file.bytes(tensor), tensor.dtype));
    return tensors;
  });
}

/** A data file. @throws FILE_UNREADABLE, INVALID_SAFETENSORS; INVALID_INPUTS for what is not the testbed's */
export async function readItems(path: string, { vocabulary, classes, length: longest, encoder }: Testbed): Promise<TaskItems> {
  const { tokens, targets, source } = await readIntegers(path, ['tokens', 'targets', ...(encoder === undefined ? [] : ['source'])]);
  const [items = 0, length = 0] = tokens!.shape;
  const [sources = items, sourceLength = 0] = source?.shape ?? [];
  const { values } = tokens!;
  if (length > longest) throw inputsError(path, `length is ${length}, expected at most ${longest}, the testbed's length`);
  if (source !== undefined && (sources !== items || sourceLength > encoder!.length))
    throw inputsError(path, `source is [${sources}, ${sourceLength}], expected [${items}, at most ${encoder!.length}]`);
  if (targets!.values.length !== values.length) throw inputsError(path, `${targets!.values.length} targets, expected ${values.length}`);
  const isWrong = (value: number) => value < 0 || value >= vocabulary;
  const token = values.find(isWrong) ?? source?.values.find(isWrong);
  if (token !== undefined) throw inputsError(path, `token ${token}, expected 0 to ${vocabulary - 1}`);
  const target = targets!.values.find((value) => value < -1 || value >= classes);
  if (target !== undefined) throw inputsError(path, `target ${target}, expected -1 or a class below ${classes}`);
  const from = source && { length: sourceLength, tokens: source.values };
  return { items, length, tokens: values, targets: targets!.values, ...(from && { source: from }) };
}

/** The batches of an epoch, items by number. @throws FILE_UNREADABLE, INVALID_SAFETENSORS; INVALID_INPUTS for items that are not there */
export async function readOrder(path: string, items: number): Promise<Int32Array[]> {
  const { order } = await readIntegers(path, ['order']);
  const [steps = 0, batch = 0] = order!.shape;
  const wrong = order!.values.find((item) => item < 0 || item >= items);
  if (wrong !== undefined) throw inputsError(path, `item ${wrong}, expected 0 to ${items - 1}`);
  return Array.from({ length: steps }, (_, step) => order!.values.subarray(step * batch, (step + 1) * batch));
}

type Integers = Record<string, { readonly shape: readonly number[]; readonly values: Int32Array }>;

async function readIntegers(path: string, names: readonly string[]): Promise<Integers> {
  return reading(path, async (file) => {
    const found: Integers = {};
    for (const name of names) {
      const tensor = file.tensors.get(name);
      const got = tensor === undefined ? 'none' : `${tensor.dtype} of rank ${tensor.shape.length}`;
      if (tensor?.dtype !== 'I32' || tensor.shape.length !== 2) throw inputsError(path, `${name} is ${got}, expected I32 of rank 2`);
      found[name] = { shape: tensor.shape, values: new Int32Array((await file.bytes(tensor)).buffer) };
    }
    return found;
  });
}

async function reading<T>(path: string, read: (file: SafetensorsFile) => Promise<T>): Promise<T> {
  const file = await openSafetensors(path);
  try {
    return await read(file);
  } finally {
    await file.close();
  }
}

function inputsError(path: string, problem: string): AttnswapError {
  return new AttnswapError('INVALID_INPUTS', `${path}: ${problem}`, { hint: 'use data of the task that the testbed is for' });
}
