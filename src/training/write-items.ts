import { writeSafetensors } from '../inputs/safetensors.ts';
import type { TaskItems } from './task.ts';

/** A data file, as a trainer reads it. @throws FILE_UNWRITABLE */
export async function writeItems(path: string, { items, length, tokens, targets, source }: TaskItems): Promise<void> {
  const tensor = (data: Int32Array, each: number) => ({ dtype: 'I32', shape: [items, each], data }) as const;
  const given = { tokens: tensor(tokens, length), targets: tensor(targets, length) };
  await writeSafetensors(path, { ...given, ...(source && { source: tensor(source.tokens, source.length) }) }, {});
}
