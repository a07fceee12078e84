import { join } from 'node:path';
import type { Adapter, AdapterEntry } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import { readTuning } from '../contract/tuning.ts';
import { findAdapter } from '../loading/adapter.ts';
import { builtInTunings } from '../loading/built-in.ts';
import { loadDefinition } from '../loading/definition.ts';
import { alone } from '../measure/alone.ts';
import { writeJson } from '../files/json.ts';
import { recordPath } from '../journal/stored.ts';
import { digits, percent } from '../text/figures.ts';
import type { Task } from '../training/task.ts';
import { taskOf } from '../training/tasks/index.ts';
import { definitionsOf } from '../tuning/definitions.ts';
import type { Definitions } from '../tuning/definitions.ts';
import { tuningRecordName, tuningSteps } from '../tuning/record.ts';
import { slowTrainers, smallerTuning } from '../tuning/smaller.ts';
import { TimeLeft } from '../tuning/time-left.ts';
import { tuneTestbed } from '../tuning/tune-testbed.ts';
import type { TuningReport } from '../tuning/tune-testbed.ts';
import type { TrainingProgress, TuningWork } from '../tuning/work.ts';
import { defaults } from './defaults.ts';
import { describeRun } from './head.ts';
import type { RunHead } from './head.ts';
import { keeping } from './migrate.ts';
import { openJournal } from './open-journal.ts';
import { adaptersOf } from './options.ts';
import type { OperationOptions, Progress } from './options.ts';

/** Backends that may train, the best first. */
const trainers = ['torch-cuda', 'torch-cpu', 'tfjs-node-gpu', 'tfjs-node', 'tfjs-wasm'] as const;

export interface TuneOptions extends OperationOptions {
  /** Name of a built-in testbed, or the path of a tuning suite. */
  readonly suite: string;
  /** Training backend. @default the best available, torch before tfjs */
  readonly trainer?: string | undefined;
  /** Backend on which the exported models are measured. @default 'onnx-cpu' */
  readonly backend?: string | undefined;
  /** Folder for all results; the same options resume there. @default 'runs/<suite>.tuning' */
  readonly dir?: string | undefined;
  /** @default 1 */
  readonly seed?: number | undefined;
  /** Maximum number of blocks in the final comparison. @default 10 */
  readonly maxBlocks?: number | undefined;
  /** Threads per operator. @default the runtime's own */
  readonly threads?: number | undefined;
}

/** All that a tuning found, with what it was of: what `record.json` in its folder holds. */
export interface TuningRecord extends TuningReport, Omit<RunHead, 'backends'> {
  readonly schema: typeof tuningRecordName;
  readonly startedAt: string;
  readonly endedAt: string;
  readonly folder: string;
  /** The suite as trained, and everything else that determines the result. */
  readonly settings: TuningWork['tuning'] &
    Definitions & {
      readonly trainer: string;
      readonly backend: string;
      readonly seed: number;
      readonly maxBlocks: number;
      readonly threads: number | null;
    };
}

/**
 * Trains a testbed with dense attention and with every candidate, from where its folder stands, and compares what comes of it.
 * @throws UNKNOWN_SUITE, INVALID_SUITE, UNSUPPORTED where nothing here trains, INVALID_MIGRATION where the folder is of something else,
 * BUSY; INTERRUPTED: the same options go on from there
 */
export async function tune(options: TuneOptions): Promise<TuningRecord> {
  const { backend = defaults.backend, seed = defaults.seed, maxBlocks = defaults.finalBlocks, threads, onWarning } = options;
  const adapters = adaptersOf(options);
  const whole = readTuning((await loadDefinition(options.suite, builtInTunings)).definition, options.suite);
  const task = taskOf(whole.task);
  const trainer = await findTrainer(options.trainer, adapters);
  const { tuning, changes } = slowTrainers.includes(trainer.backend) ? smallerTuning(whole) : { tuning: whole, changes: [] };
  const entry = findAdapter(adapters, backend);
  const runner = { adapter: await entry.load(), entry, backend };
  const head = await describeRun([trainer.backend, backend], adapters, options);
  const smaller = changes.length > 0 ? [smallerWarning(trainer.backend, changes)] : [];
  for (const warning of smaller) onWarning?.(warning);
  options.onProgress?.({ what: `trained on ${trainer.backend}` });
  const warnings = [...head.warnings, ...smaller];
  const folder = options.dir ?? join('runs', `${tuning.name}.tuning`);
  const settings = { ...tuning, trainer: trainer.backend, backend, seed, maxBlocks, threads: threads ?? null, ...definitionsOf(tuning) };
  const state = await openJournal(folder, { files: {}, settings, host: head.host }, { kind: 'tuning', steps: tuningSteps }, options);
  const given = { tuning, task, state, trainer, runner, seed, maxBlocks, threads };
  const progress: TuningWork['progress'] = (what, training) => options.onProgress?.(standing(what, task.metric, training));
  const work = async (signal: AbortSignal) => {
    const report = await tuneTestbed({ ...given, timeLeft: new TimeLeft(tuning), signal, progress });
    return { report, endedAt: await state.step('ended', async () => new Date().toISOString()) };
  };
  const { report, endedAt } = await alone(options, work).catch(keeping(folder, 'trained'));
  const { tool, command, host } = head;
  const times = { startedAt: state.startedAt, endedAt };
  const record = { schema: tuningRecordName, tool, command, ...times, host, warnings, folder, settings, ...report } as const;
  await writeJson(recordPath(folder), record);
  return record;
}

/** The trainer that is named, or the best that is here. @throws UNSUPPORTED with what each of them needs */
async function findTrainer(named: string | undefined, adapters: readonly AdapterEntry[]): Promise<{ adapter: Adapter; backend: string }> {
  const reasons: string[] = [];
  for (const backend of named === undefined ? trainers : [named]) {
    const adapter = await findAdapter(adapters, backend).load();
    const status = await adapter.status(backend);
    if (adapter.train !== undefined && status.available) return { adapter, backend };
    reasons.push(`${backend}: ${status.available ? 'no trainer' : status.reason}`);
  }
  throw new AttnswapError('UNSUPPORTED', `no backend can train here: ${reasons.join('; ')}`, {
    hint: 'install PyTorch and pass its Python with --python, or npm install @tensorflow/tfjs-core @tensorflow/tfjs-backend-cpu @tensorflow/tfjs-backend-wasm',
  });
}

/** How a training went so far, and how long all of them may still take. */
function standing(what: string, metric: Task['metric'], { last, atMostSeconds }: Partial<TrainingProgress> = {}): Progress {
  const score = (value: number) => (metric === 'accuracy' ? `accuracy ${percent(value)}` : `${digits(-value)} bits`);
  const sofar = last === undefined ? '' : `; so far loss ${digits(last.losses.at(-1) ?? Number.NaN)}, ${score(last.validation)}`;
  return { what: what + sofar, ...(atMostSeconds !== undefined && { secondsLeft: atMostSeconds }) };
}

function smallerWarning(trainer: string, changes: readonly string[]): string {
  const others = 'PyTorch (pip install torch, and --python) or tfjs-node (npm install @tensorflow/tfjs-node)';
  return `${trainer} is slow, so the budget is smaller: ${changes.join(', ')}; the full budget takes less time with ${others}`;
}
