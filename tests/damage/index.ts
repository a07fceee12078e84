import { arrayReaders } from './arrays.ts';
import type { Reader } from './endure.ts';
import { recordReaders } from './records.ts';
import { textReaders } from './texts.ts';

/** Everything that reads what others wrote; files lie in `folder`. */
export async function allReaders(folder: string): Promise<Reader[]> {
  return [...(await arrayReaders(folder)), ...(await recordReaders(folder)), ...(await textReaders(folder))];
}
