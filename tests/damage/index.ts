import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { arrayReaders } from './arrays.ts';
import type { Reader } from './endure.ts';
import { recordReaders } from './records.ts';
import { storeReaders } from './stores.ts';
import { textReaders } from './texts.ts';
import { traceReader } from './traces.ts';

/** Everything that reads what others wrote; files lie in `folder`. */
export async function allReaders(folder: string): Promise<Reader[]> {
  const traces = join(folder, 'traces-of-calls');
  await mkdir(traces, { recursive: true });
  return [
    ...(await arrayReaders(folder)),
    ...(await recordReaders(folder)),
    ...(await textReaders(folder)),
    ...(await storeReaders(folder)),
    await traceReader(traces),
  ];
}
