import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { AttnswapError } from '../contract/errors.ts';
import { readJson, writeJson } from '../files/json.ts';
import { recordReader } from '../files/read-record.ts';
import { compareHosts } from '../measure/same-host.ts';
import { baselineSchema } from './baseline.ts';
import type { Baseline } from './baseline.ts';
import { calibrationSchema, hostOf } from './calibration.ts';
import type { Calibration } from './calibration.ts';

const calibrationsSchema = z.object({ schema: z.literal('attnswap.calibrations/1'), calibrations: z.array(calibrationSchema).max(10_000) });
const readCalibrations = recordReader(calibrationsSchema, { code: 'INVALID_CALIBRATION', hint: 'attnswap calibrate' });
const readBaseline = recordReader(baselineSchema, {
  code: 'INVALID_BASELINE',
  hint: 'restore the file from version control, or save the baseline again',
});

/** @throws FILE_UNREADABLE, INVALID_CALIBRATION */
export async function loadCalibrations(store: string): Promise<Calibration[]> {
  const path = join(store, 'calibrations.json');
  if (!existsSync(path)) return [];
  return readCalibrations(await readJson(path, 'INVALID_CALIBRATION'), path).calibrations;
}

/** Adds calibrations; an older one of the same cell and host gives way. @throws FILE_UNWRITABLE */
export async function saveCalibrations(store: string, added: readonly Calibration[]): Promise<void> {
  const isSameHost = (one: Calibration, other: Calibration) => compareHosts(hostOf(one), hostOf(other)).differing.length === 0;
  const replaced = (old: Calibration) => added.some((fresh) => fresh.cell === old.cell && isSameHost(old, fresh));
  const kept = (await loadCalibrations(store)).filter((old) => !replaced(old));
  await writeJson(join(store, 'calibrations.json'), { schema: 'attnswap.calibrations/1', calibrations: [...kept, ...added] });
}

/** @throws UNKNOWN_BASELINE, FILE_UNREADABLE, INVALID_BASELINE */
export async function loadBaseline(store: string, name: string): Promise<Baseline> {
  const path = baselinePath(store, name);
  if (!existsSync(path)) {
    const known = baselineNames(store);
    throw new AttnswapError(
      'UNKNOWN_BASELINE',
      `no baseline ${JSON.stringify(name)} in ${store}, which has ${known.join(', ') || 'none'}`,
      {
        hint: `attnswap baseline save ${name} runs/<suite>.run.json --reason '…'`,
      },
    );
  }
  return readBaseline(await readJson(path, 'INVALID_BASELINE'), path);
}

/** @throws FILE_UNWRITABLE */
export async function saveBaseline(store: string, baseline: Baseline): Promise<string> {
  const path = baselinePath(store, baseline.name);
  await writeJson(path, baseline);
  return path;
}

/** Names of the stored baselines, sorted. */
export function baselineNames(store: string): string[] {
  const folder = join(store, 'baselines');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .toSorted();
}

function baselinePath(store: string, name: string): string {
  if (/^[A-Za-z0-9][\w.-]{0,99}$/.test(name)) return join(store, 'baselines', `${name}.json`);
  throw new AttnswapError('USAGE', `baseline ${JSON.stringify(name)}: expected a name of letters, digits, dots, hyphens and underscores`, {
    hint: 'choose another name, at most 100 characters long',
  });
}
