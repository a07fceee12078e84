import { join } from 'node:path';
import { AttnswapError } from '../contract/errors.ts';
import type { AdapterEntry } from '../contract/adapter.ts';
import { Figures } from '../journal/figures.ts';
import { findAdapter } from '../loading/adapter.ts';
import { codeDigest, isOwnModule } from '../loading/own-code.ts';
import { courseOf } from '../migration/course.ts';
import { itemsOf } from '../migration/items.ts';
import { migrate as takeThrough } from '../migration/migrate.ts';
import type { MigrationReport } from '../migration/migrate.ts';
import { promptsOf } from '../migration/generation.ts';
import type { Migration, MigrationSettings } from '../migration/migration.ts';
import { OriginalOutputs } from '../migration/original-outputs.ts';
import { migrationRecordName } from '../migration/record.ts';
import { migrationSteps } from '../migration/steps.ts';
import { uniformCandidates } from '../migration/swap-phase.ts';
import { ranksOptions } from '../migration/training-files.ts';
import type { Cache } from '../model/cache/cache.ts';
import { capWarnings } from '../model/swap/soft-caps.ts';
import { assumedText } from '../model/sites/assume.ts';
import type { Site } from '../model/sites/site.ts';
import { alone } from '../measure/alone.ts';
import { isBusy } from '../measure/noise.ts';
import { surroundings } from '../measure/surroundings.ts';
import { fileDigest } from '../files/digest.ts';
import { writeJson } from '../files/json.ts';
import { requireWritableFolder } from '../files/writable.ts';
import { recordPath } from '../journal/stored.ts';
import { defaults } from './defaults.ts';
import { describeRun } from './head.ts';
import type { RunHead } from './head.ts';
import { lengthsOf } from './model-data.ts';
import { recoveryOf, settingsOf } from './migrate-options.ts';
import type { MigrateOptions } from './migrate-options.ts';
import { isForWorker, usingFound } from './found-model.ts';
import type { FoundModel, OpenedModel } from './found-model.ts';
import { openJournal } from './open-journal.ts';
import { adaptersOf } from './options.ts';

/** All that a migration found, with what it was of: what `record.json` in its folder holds. */
export interface MigrationRecord extends MigrationReport, Omit<RunHead, 'backends'> {
  readonly schema: typeof migrationRecordName;
  readonly startedAt: string;
  readonly endedAt: string;
  /** Path of the model. */
  readonly model: string;
  readonly folder: string;
  /** Number of steps in the folder's journal. */
  readonly steps: number;
  /** When figures were measured that were reused from an earlier run, by their steps. */
  readonly reused: Readonly<Record<string, string>>;
  readonly settings: MigrationSettings;
  readonly sites: readonly Site[];
  /** The task's metric; null without a task. */
  readonly metric: string | null;
  /** Why decoding was not measured; null if it was, or if the model has no cache. */
  readonly notDecoded: string | null;
}

/**
 * Takes a model through the phases, from where its folder stands: baseline, every candidate against it, tuning without training, and a
 * last comparison. The verdict is `adopt`, `tune-first` or `reject`.
 * @throws INVALID_MODEL, INVALID_DATA, UNSUPPORTED where nothing can be swapped, INVALID_MIGRATION where the folder is of something else,
 * UNKNOWN_VARIANT, USAGE, BUSY; INTERRUPTED: the same options go on from there
 */
export async function migrate(options: MigrateOptions): Promise<MigrationRecord> {
  const { model } = options;
  // What cannot be asked is told before the model is opened.
  recoveryOf(options);
  const [training] = [...(options.recover === undefined ? [] : ['--recover']), ...(options.backward === true ? ['--backward'] : [])];
  if (training !== undefined && !(await isForWorker(model)))
    throw new AttnswapError('USAGE', `${model}: ${training} is for PyTorch models, and this is an ONNX model`, {
      hint: `omit ${training}, or give the folder that the model was exported from`,
    });
  return usingFound(options, (found) => migrateFound(options, found));
}

/** The same of a model whose attention was found, as {@link usingFound} gives it for the same options. */
export async function migrateFound(options: MigrateOptions, found: FoundModel): Promise<MigrationRecord> {
  const { model: path, until = 'tune' } = options;
  requireSwappable(path, found.sites);
  const { runner } = found;
  const adapters = adaptersOf(options);
  const head = await describeRun([runner.backend], adapters, options);
  const data = await found.data();
  const settings = settingsOf({ ...options, backend: runner.backend }, await lengthsOf(data, options));
  const folder = options.dir ?? join('runs', `${found.name}.migration`);
  await requireWritableFolder(folder);
  const opened = await found.open(folder);
  const { file, sites } = opened;
  requireSwappable(path, sites);
  const inputs = [...options.data, ...(options.tokenizer === undefined ? [] : [options.tokenizer])];
  const files = { [path]: file.sha256, ...opened.digests, ...(await digests(inputs)) };
  const state = await openJournal(
    folder,
    { files, settings: { ...settings }, host: head.host },
    { kind: 'migration', steps: migrationSteps },
    options,
  );
  const source = { data, settings, items: new Map() };
  // A folder keeps the settings that it began with: those that no item fits must not be kept.
  const begins = state.count === 0;
  if (begins) {
    options.onProgress?.({ what: 'reading the data' });
    await itemsOf(source, 'judging');
    if (until === 'tune') await tryRanks({ settings, sites, runner, subject: opened.subject(null) }, options);
  }
  const { cache, notDecoded } = await decoderOf(opened, source, options);
  // Of when it began: what goes on later measures nothing twice.
  const { tool, command, host, warnings } = await state.step('head', async () => head);
  const assumed = sites.sites.flatMap((site) => assumedText(site) ?? []);
  for (const warning of assumed) options.onWarning?.(warning);
  const subject = opened.subject(cache);
  const entry = findAdapter(adapters, runner.backend);
  const shared = {
    ...{ file, sites, runner, subject, entry },
    ...source,
    cache,
    state,
    figures: await openFigures(entry, head, options.fresh),
    peaks: new Map(),
    judged: new Map(),
    outputs: new OriginalOutputs(() => subject.open()),
  };
  // A misspelt candidate is told now, not after minutes of measuring.
  const candidates = until === 'baseline' ? [] : uniformCandidates(shared);
  const lost = candidates.flatMap(({ name, replacements }) =>
    capWarnings(sites.sites, replacements, runner.adapter).map((text) => `${name}: ${text}`),
  );
  for (const warning of lost) options.onWarning?.(warning);
  const at = courseOf(
    { ...settings, decodes: cache !== null },
    candidates.map(({ name }) => name),
    until,
  );
  const progress = (step: string, what: string, part?: number) => {
    const { phase, ...position } = at(step, part);
    options.onProgress?.({ what: `${phase}: ${what}`, ...position });
  };
  const work = async (signal: AbortSignal) => {
    const report = await takeThrough({ ...shared, signal, progress }, until).catch((error: unknown) => {
      // Ctrl-C reaches workers, too: how they end is then no failure.
      signal.throwIfAborted();
      throw error;
    });
    return { report, endedAt: await state.step(`ended/${until}`, async () => new Date().toISOString()) };
  };
  const { report, endedAt } = await alone(options, work).catch(keeping(folder, 'measured'));
  const times = { startedAt: state.startedAt, endedAt };
  const of = {
    model: path,
    folder,
    steps: state.count,
    reused: state.reused,
    settings,
    sites: sites.sites,
    metric: source.data.metric ?? null,
    notDecoded,
  };
  const record = { schema: migrationRecordName, tool, command, ...times, host, warnings, ...of, ...report } as const;
  await writeJson(recordPath(folder), record);
  return record;
}

/** Adapters of attnswap's own that run in Node. */
const nodeAdapters = ['onnx', 'tfjs'];

/**
 * Figures of earlier runs on this host; none where what is measured is not all known: the packages of a Python, or an adapter that a user brings.
 * What a busy host gives is not kept.
 */
async function openFigures({ name, module }: AdapterEntry, { host }: RunHead, fresh = false): Promise<Figures> {
  if (!nodeAdapters.includes(name) || !isOwnModule(module)) return Figures.none;
  const identity = { code: await codeDigest(), host: host.fingerprint.sha256, adapter: module, ...surroundings() };
  return Figures.open(join(defaults.store, 'figures'), { identity, fresh, keeps: !isBusy(host) });
}

/**
 * The cache that the model is decoded through, where it can be.
 * @throws UNSUPPORTED where tokens are to be generated and it cannot; INVALID_DATA where no item is long enough for them
 */
async function decoderOf(
  opened: OpenedModel,
  source: Pick<Migration, 'data' | 'settings' | 'items'>,
  { model, generate, onProgress, onWarning }: MigrateOptions,
): Promise<{ readonly cache: Cache | null; readonly notDecoded: string | null }> {
  onProgress?.({ what: 'looking for a cache' });
  const items = () => itemsOf(source, 'judging');
  const found = await opened.usableCache(async () => (await items())[0]!);
  const reason = found.cache === null ? (found.reason ?? 'it has no cache') : null;
  if (generate === undefined) {
    if (found.cache === null && found.reason !== null) onWarning?.(`decoding through the cache is not measured: ${found.reason}`);
    return { cache: found.cache, notDecoded: found.cache === null ? found.reason : null };
  }
  if (reason !== null || found.cache?.logits === null)
    throw new AttnswapError(
      'UNSUPPORTED',
      `${model}: --generate needs a decoder with a cache and logits, but ${reason ?? 'no output holds logits'}`,
      {
        hint: `${opened.decodable}, or omit --generate`,
      },
    );
  promptsOf({ cache: found.cache, settings: source.settings }, await items());
  return { cache: found.cache, notDecoded: null };
}

/** Ranks that cannot be opened are told now, not after minutes of measuring. @throws UNSUPPORTED */
async function tryRanks(migration: Pick<Migration, 'settings' | 'sites' | 'subject' | 'runner'>, options: MigrateOptions): Promise<void> {
  const { ranks = 1 } = migration.settings.recover ?? {};
  if (ranks === 1) return;
  options.onProgress?.({ what: `opening the model on ${ranks} ranks` });
  const opened = await migration.subject.openRanks!(uniformCandidates(migration)[0]!, ranksOptions({ ...migration, ...options }, ranks));
  await opened.dispose();
}

/** Says of an interruption that nothing is lost. */
export function keeping(folder: string, what: 'measured' | 'trained'): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof AttnswapError) || error.code !== 'INTERRUPTED') throw error;
    throw new AttnswapError('INTERRUPTED', `interrupted; what was ${what} is in ${folder}`, {
      hint: 'run the same command to continue',
    });
  };
}

function requireSwappable(path: string, { swappable }: Migration['sites']): void {
  if (swappable.size > 0) return;
  throw new AttnswapError('UNSUPPORTED', `${path}: no attention that can be swapped`, { hint: `attnswap sites ${path} says why` });
}

/** SHA-256 of files, by path. @throws FILE_UNREADABLE */
async function digests(paths: readonly string[]): Promise<Record<string, string>> {
  const entries = paths.map(async (path) => [path, await fileDigest(path)] as const);
  return Object.fromEntries(
    await Promise.all(entries).catch((error: unknown) => {
      throw new AttnswapError('FILE_UNREADABLE', (error as Error).message, { cause: error });
    }),
  );
}
