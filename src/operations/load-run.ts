import { readRun } from '../contract/run.ts';
import type { RunRecord } from '../contract/run.ts';
import { readJson } from '../files/json.ts';

/** @throws FILE_UNREADABLE, INVALID_RUN */
export async function loadRun(path: string): Promise<RunRecord> {
  return readRun(await readJson(path, 'INVALID_RUN'), path);
}
