import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import type { AdapterEntry } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import { areTensorFiles, loadData } from '../data/data-module.ts';
import { findAdapter } from '../measure/plan-cells.ts';
import { requireWritableFolder } from '../measure/writable.ts';
import { itemsOf } from '../migration/items.ts';
import { migrate } from '../migration/migrate.ts';
import type { Phase } from '../migration/migrate.ts';
import type { Goal, MigrationSettings } from '../migration/migration.ts';
import { migrationRecordName, migrationSteps, writeMigrationRecord } from '../migration/record.ts';
import { MigrationState } from '../migration/state.ts';
import { openProto } from '../model/open-proto.ts';
import type { DataModule } from '../contract/data.ts';
import { usualLengths } from './capture.ts';
import type { DataFlags } from './capture.ts';
import { exitCodes, print, printJson, remark, suggest } from './console.ts';
import type { ExitCode } from './console.ts';
import { describeRun } from './describe-run.ts';
import { printable } from './format.ts';
import { measuring } from './measuring.ts';
import type { MeasuringFlags } from './measuring.ts';
import { migrationText } from './migration-text.ts';
import { loadModel } from './sites.ts';
import type { LoadedModel, ModelFlags } from './sites.ts';

export interface MigrateFlags extends MeasuringFlags, ModelFlags, DataFlags {
  readonly until: Phase;
  readonly dir?: string;
  readonly candidate: readonly string[];
  readonly compareAt?: number;
  readonly qualityMargin: number;
  readonly margin: number;
  readonly goal: Goal;
  readonly evaluations: number;
  readonly maxBlocks: number;
  readonly threads?: number;
}

/** Takes a model through the phases, from where its folder stands. */
export async function migrateModel(path: string, flags: MigrateFlags, adapters: readonly AdapterEntry[]): Promise<ExitCode> {
  const model = await loadModel(path, flags, adapters);
  if (model.sites.swappable.size === 0)
    throw new AttnswapError('UNSUPPORTED', `${path}: no attention that can be swapped`, { hint: `attnswap sites ${path} says why` });
  const head = await describeRun([flags.backend], adapters);
  for (const warning of head.warnings) remark(`noise: ${printable(warning)}`, flags);
  const data = await dataFor(model, flags);
  const settings = settingsOf(flags, await lengthsOf(flags, data));
  const folder = flags.dir ?? join('runs', `${basename(path, extname(path))}.migration`);
  await requireWritableFolder(folder);
  const files = {
    [path]: model.file.sha256,
    ...(await digests([...flags.data, ...(flags.tokenizer === undefined ? [] : [flags.tokenizer])])),
  };
  const identity = { files, settings: { ...settings }, host: head.host.fingerprint.sha256, described: head.host };
  const state = await MigrationState.open(folder, identity, migrationSteps);
  for (const part of state.notCompared) remark(`not compared with the machine that this began on, as it could not be read: ${part}`, flags);
  const source = { data, settings, items: new Map() };
  // A folder keeps the settings that it began with: those that no item fits must not be kept.
  if (state.count === 0) await itemsOf(source, 'judging');
  // Of when it began: what goes on later measures nothing twice.
  const { tool, command, host, warnings } = await state.step('head', async () => head);
  const { file, runner, sites } = model;
  const entry = findAdapter(adapters, flags.backend);
  const opened = { file, sites, runner, entry, ...(flags.dim !== undefined && { dimensions: flags.dim }) };
  const shared = { ...opened, ...source, state, peaks: new Map() };
  const progress = (what: string) => remark(what, flags);
  const report = await measuring(flags, (signal) => migrate({ ...shared, signal, progress }, flags.until)).catch((error: unknown) => {
    if (!(error instanceof AttnswapError) || error.code !== 'INTERRUPTED') throw error;
    throw new AttnswapError('INTERRUPTED', `interrupted; ${folder} keeps what was measured`, {
      hint: 'the same command goes on from there',
    });
  });
  const times = { startedAt: state.startedAt, endedAt: await state.step(`ended/${flags.until}`, async () => new Date().toISOString()) };
  const subject = { model: path, folder, steps: state.count, settings, sites: sites.sites, metric: source.data.metric ?? null };
  const record = { schema: migrationRecordName, tool, command, ...times, host, warnings, ...subject, ...report };
  await writeMigrationRecord(folder, record);
  if (flags.json === true) printJson(record);
  else print(migrationText(report, { settings, sites: sites.sites, metric: source.data.metric, folder }));
  suggest(['report', folder], flags);
  return { adopt: exitCodes.pass, 'tune-first': exitCodes.inconclusive, reject: exitCodes.regression, none: exitCodes.pass }[
    report.verdict ?? 'none'
  ];
}

/** The lengths asked for; else those that tensor files have. */
async function lengthsOf({ lengths, data: paths, seed }: MigrateFlags, data: DataModule): Promise<readonly number[]> {
  if (lengths !== undefined) return lengths;
  if (!areTensorFiles(paths)) return usualLengths;
  return (await data.items({ lengths: [], itemsPerLength: 1, seed })).map(({ length }) => length);
}

function settingsOf(flags: MigrateFlags, lengths: readonly number[]): MigrationSettings {
  const { backend, items = 8, seed, evaluations, maxBlocks, threads } = flags;
  const sorted = [...new Set(lengths)].sort((a, b) => a - b);
  // Attention's share grows with the length: a gain shows there first.
  const compareAt = flags.compareAt ?? sorted.at(-1)!;
  if (!sorted.includes(compareAt))
    throw new AttnswapError('USAGE', `--compare-at is ${compareAt}, expected one of the lengths ${sorted.join(', ')}`);
  return {
    backend,
    lengths: sorted,
    compareAt,
    itemsPerLength: items,
    candidates: flags.candidate,
    qualityMargin: flags.qualityMargin / 100,
    margin: flags.margin / 100,
    goal: flags.goal,
    evaluations,
    seed,
    maxBlocks,
    threads: threads ?? null,
  };
}

async function digests(paths: readonly string[]): Promise<Record<string, string>> {
  const entries = paths.map(
    async (path) =>
      [
        path,
        createHash('sha256')
          .update(await readFile(path))
          .digest('hex'),
      ] as const,
  );
  return Object.fromEntries(
    await Promise.all(entries).catch((error: unknown) => {
      throw new AttnswapError('FILE_UNREADABLE', (error as Error).message, { cause: error });
    }),
  );
}

async function dataFor({ file, runner, sites }: LoadedModel, flags: DataFlags) {
  const model = await openProto(sites.proto, file, runner);
  await model.dispose();
  return loadData(flags.data, { inputs: model.inputs, ...(flags.tokenizer !== undefined && { tokenizer: flags.tokenizer }) });
}
