import { join } from 'node:path';
import type { Adapter, AdapterEntry } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import { readTuning } from '../contract/tuning.ts';
import { findAdapter } from '../measure/plan-cells.ts';
import { writeWhole } from '../measure/run-store.ts';
import { MigrationState } from '../migration/state.ts';
import type { Task } from '../training/task.ts';
import { taskOf } from '../training/tasks/index.ts';
import { tuningRecordName, tuningSteps } from '../tuning/record.ts';
import type { TuningRecord } from '../tuning/record.ts';
import { slowTrainers, smallerTuning } from '../tuning/smaller.ts';
import { TimeLeft } from '../tuning/time-left.ts';
import { tuneTestbed } from '../tuning/tune-testbed.ts';
import type { TuningReport } from '../tuning/tune-testbed.ts';
import type { TrainingProgress, TuningWork } from '../tuning/work.ts';
import { exitCodes, print, printJson, remark, suggest } from './console.ts';
import type { ExitCode } from './console.ts';
import { describeRun } from './describe-run.ts';
import { digits, percent } from '../text/figures.ts';
import { printable } from './format.ts';
import { loadDefinition } from './load-definition.ts';
import { measuring } from './measuring.ts';
import type { MeasuringFlags } from './measuring.ts';
import { tuningText } from './tuning-text.ts';

export const tuningSuites = ['tune-recall', 'tune-induction', 'tune-prose', 'tune-techniques', 'tune-guide'] as const;

/** Backends that may train, the best first. */
const trainers = ['torch-cuda', 'torch-cpu', 'tfjs-node-gpu', 'tfjs-node', 'tfjs-wasm'] as const;

export interface TuneSuiteFlags extends MeasuringFlags {
  readonly trainer?: string;
  readonly backend: string;
  readonly dir?: string;
  readonly seed: number;
  readonly maxBlocks: number;
  readonly threads?: number;
}

/** All phases of the testbed that a tuning suite describes, from where its folder stands. */
export async function tuneSuite(nameOrPath: string, flags: TuneSuiteFlags, adapters: readonly AdapterEntry[]): Promise<ExitCode> {
  const whole = readTuning((await loadDefinition(nameOrPath, tuningSuites)).definition, nameOrPath);
  const task = taskOf(whole.task);
  const trainer = await findTrainer(flags.trainer, adapters);
  const { tuning, changes } = slowTrainers.includes(trainer.backend) ? smallerTuning(whole) : { tuning: whole, changes: [] };
  const entry = findAdapter(adapters, flags.backend);
  const runner = { adapter: await entry.load(), entry, backend: flags.backend };
  const head = await describeRun([trainer.backend, flags.backend], adapters);
  for (const warning of head.warnings) remark(`noise: ${printable(warning)}`, flags);
  remark(`trained on ${trainer.backend}`, flags);
  const smaller = changes.length > 0 ? [smallerWarning(trainer.backend, changes)] : [];
  for (const warning of smaller) remark(warning, flags);
  const warnings = [...head.warnings, ...smaller];
  const folder = flags.dir ?? join('runs', `${tuning.name}.tuning`);
  const { seed, maxBlocks, threads } = flags;
  const settings = { ...tuning, trainer: trainer.backend, backend: flags.backend, seed, maxBlocks, threads: threads ?? null };
  const subject = { files: {}, settings, host: head.host.fingerprint.sha256, described: head.host };
  const state = await MigrationState.open(folder, subject, tuningSteps);
  for (const part of state.notCompared) remark(`not compared with the machine that this began on, as it could not be read: ${part}`, flags);
  const work = {
    tuning,
    task,
    state,
    trainer,
    runner,
    seed,
    maxBlocks,
    timeLeft: new TimeLeft(tuning),
    ...(threads !== undefined && { threads }),
  };
  const progress: TuningWork['progress'] = (what, training) => remark([what, ...standing(task.metric, training)].join('; '), flags);
  const report = await measuring(flags, (signal) => tuneTestbed({ ...work, signal, progress })).catch((error: unknown) => {
    if (!(error instanceof AttnswapError) || error.code !== 'INTERRUPTED') throw error;
    throw new AttnswapError('INTERRUPTED', `interrupted; ${folder} keeps what was trained`, {
      hint: 'the same command goes on from there',
    });
  });
  const { tool, command, host } = head;
  const times = { startedAt: state.startedAt, endedAt: await state.step('ended', async () => new Date().toISOString()) };
  const record: TuningRecord = { schema: tuningRecordName, tool, command, ...times, host, warnings, settings, ...report };
  await writeWhole(join(folder, 'record.json'), `${JSON.stringify(record)}\n`);
  if (flags.json === true) printJson(record);
  else print(tuningText(report, { tuning, task, folder, trainer: trainer.backend, warnings }));
  suggest(['report', folder], flags);
  return exitCodeOf(report);
}

/** The trainer that is named, or the best that is here. @throws UNSUPPORTED with what each of them needs */
async function findTrainer(named: string | undefined, adapters: readonly AdapterEntry[]): Promise<{ adapter: Adapter; backend: string }> {
  const reasons: string[] = [];
  for (const backend of named === undefined ? trainers : [named]) {
    const adapter = await findAdapter(adapters, backend).load();
    const status = await adapter.status(backend);
    if (adapter.train !== undefined && status.available) return { adapter, backend };
    reasons.push(`${backend}: ${status.available ? 'it has no trainer' : status.reason}`);
  }
  throw new AttnswapError('UNSUPPORTED', `nothing here trains: ${reasons.join('; ')}`, {
    hint: 'install PyTorch, and name its Python with --python; or npm install @tensorflow/tfjs-core @tensorflow/tfjs-backend-cpu @tensorflow/tfjs-backend-wasm',
  });
}

/** How a training went so far, and how long all of them may still take. */
function standing(metric: Task['metric'], training: TrainingProgress | undefined): string[] {
  const { last, atMostSeconds } = training ?? {};
  const score = (value: number) => (metric === 'accuracy' ? `accuracy ${percent(value)}` : `${digits(-value)} bits`);
  return [
    ...(last === undefined ? [] : [`so far loss ${digits(last.losses.at(-1) ?? Number.NaN)}, ${score(last.validation)}`]),
    ...(atMostSeconds === undefined ? [] : [`at most ${Math.ceil(atMostSeconds / 60)} min of training left`]),
  ];
}

function smallerWarning(trainer: string, changes: readonly string[]): string {
  const others = 'PyTorch (pip install torch; --python names its Python) or tfjs-node (npm install @tensorflow/tfjs-node)';
  return `a smaller budget, as ${trainer} is slow: ${changes.join(', ')}; ${others} would train all of it, in less time`;
}

function exitCodeOf({ candidates }: TuningReport): ExitCode {
  const verdicts = candidates.map(({ decision }) => decision.verdict);
  if (verdicts.includes('adopt')) return exitCodes.pass;
  return verdicts.includes('tune-first') ? exitCodes.inconclusive : exitCodes.regression;
}
