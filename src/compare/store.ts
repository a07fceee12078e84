import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { AttnswapError } from '../contract/errors.ts';
import type { ErrorCode } from '../contract/errors.ts';
import { readJson, writeWhole } from '../measure/run-store.ts';
import { compareHosts } from '../measure/same-host.ts';
import { baselineSchema } from './baseline.ts';
import type { Baseline } from './baseline.ts';
import { calibrationSchema, hostOf } from './calibration.ts';
import type { Calibration } from './calibration.ts';

/** Where calibrations and baselines are kept, unless --store says otherwise: a folder that can be committed or cached. */
export const defaultStore = '.attnswap';

const calibrationsSchema = z.object({ schema: z.literal('attnswap.calibrations/1'), calibrations: z.array(calibrationSchema).max(10_000) });

/** @throws FILE_UNREADABLE, INVALID_CALIBRATION */
export async function loadCalibrations(store: string): Promise<Calibration[]> {
  const path = join(store, 'calibrations.json');
  if (!existsSync(path)) return [];
  return parsed(calibrationsSchema, await readJson(path, 'INVALID_CALIBRATION'), {
    path,
    code: 'INVALID_CALIBRATION',
    hint: 'attnswap calibrate',
  }).calibrations;
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
    throw new AttnswapError('UNKNOWN_BASELINE', `no baseline ${JSON.stringify(name)} in ${store}, there is ${known.join(', ') || 'none'}`, {
      hint: `attnswap baseline save ${name} runs/<suite>.run.json --reason '…'`,
    });
  }
  const hint = 'restore the file from version control, or save the baseline anew';
  return parsed(baselineSchema, await readJson(path, 'INVALID_BASELINE'), { path, code: 'INVALID_BASELINE', hint });
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
  throw new AttnswapError('USAGE', `a baseline cannot be called ${JSON.stringify(name)}`, {
    hint: 'letters, digits, dots, hyphens, underscores',
  });
}

function writeJson(path: string, value: unknown): Promise<void> {
  return writeWhole(path, `${JSON.stringify(value, null, 1)}\n`);
}

function parsed<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  at: { path: string; code: ErrorCode; hint: string },
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  throw new AttnswapError(at.code, `${at.path}: ${issue.path.join('.') || 'document'}: ${issue.message}`, {
    hint: at.hint,
    cause: result.error,
  });
}
