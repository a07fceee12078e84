import { busyCores } from '../compare/compare-latency.ts';
import { calibrate as calibrationOf, calibrationSchema, quietBlocks } from '../compare/calibration.ts';
import type { Calibration } from '../compare/calibration.ts';
import { isCalibrated } from '../decide/rule.ts';
import { pairedBlocks } from '../compare/paired-blocks.ts';
import { saveCalibrations } from '../compare/store.ts';
import { loadSuite } from '../loading/suite.ts';
import { alone } from '../measure/alone.ts';
import { armOf } from '../measure/arm.ts';
import type { CellPlan } from '../measure/measure-cell.ts';
import { kernelName, planCells, recordedBackends, selects } from '../measure/plan-cells.ts';
import { defaults } from './defaults.ts';
import { describeRun } from './head.ts';
import { adaptersOf } from './options.ts';
import type { OperationOptions } from './options.ts';

export interface CalibrateOptions extends OperationOptions {
  /** Suite whose timed cells are measured. @default 'ci' */
  readonly suite?: string | undefined;
  /** Blocks per cell; those on a busy host are measured again. @default 20 */
  readonly blocks?: number | undefined;
  /** Random seed for the order of rounds. @default 1 */
  readonly seed?: number | undefined;
  /** Threads per operator. @default the runtime's own */
  readonly threads?: number | undefined;
  /** Folder that the calibrations are stored in. @default '.attnswap' */
  readonly store?: string | undefined;
}

/** What this host can tell apart, cell by cell, as it was stored. */
export interface CalibrationRecord {
  readonly store: string;
  /** Fingerprint of this host; calibrations are valid only here. */
  readonly fingerprint: { readonly short: string; readonly sha256: string };
  readonly calibrations: readonly Calibration[];
}

/**
 * A/A: measures equal arms of a suite's timed cells, and stores what this host can tell apart.
 * @throws UNKNOWN_SUITE, INVALID_SUITE, WORKER_FAILED, BUSY, INTERRUPTED, FILE_UNWRITABLE
 */
export async function calibrate(options: CalibrateOptions = {}): Promise<CalibrationRecord> {
  const { blocks = defaults.blocks, seed = defaults.seed, store = defaults.store, threads, onProgress } = options;
  const { suite, ...loaded } = await loadSuite(options.suite ?? 'ci');
  const adapters = adaptersOf(options, loaded.adapters);
  const plans = await planCells(suite, adapters);
  const timed = suite.gates.filter(({ metric }) => isCalibrated(metric));
  const wanted = timed.length === 0 ? plans : plans.filter((plan) => timed.some((gate) => selects(gate.select, plan)));
  const { host } = await describeRun(recordedBackends(suite, adapters), adapters, options);
  const { short, sha256, identity } = host.fingerprint;
  const on = { fingerprint: sha256, identity: { ...identity } };
  const calibrations = await alone(options, async (signal) => {
    const found: Calibration[] = [];
    for (const plan of wanted) {
      const step = (block: number) =>
        onProgress?.({ what: kernelName(plan), done: found.length * blocks + block, total: wanted.length * blocks });
      found.push(await calibrateCell(plan, { blocks, seed, threads, on, signal, step }));
    }
    return found;
  });
  await saveCalibrations(store, calibrations);
  return { store, fingerprint: { short, sha256 }, calibrations };
}

interface CellCalibration {
  readonly blocks: number;
  readonly seed: number;
  readonly threads: number | undefined;
  readonly on: Pick<Calibration, 'fingerprint' | 'identity'>;
  readonly signal: AbortSignal;
  step(block: number): void;
}

async function calibrateCell(plan: CellPlan, options: CellCalibration): Promise<Calibration> {
  const arm = armOf(plan, undefined, options.threads);
  const measure = pairedBlocks({ base: arm, new: arm }, { ...options, timeoutSeconds: 300 });
  const logRatios = await quietBlocks(plan.cell.id, measure, { ...options, busyFrom: busyCores() });
  const { id, backend } = plan.cell;
  const measuredAt = new Date().toISOString();
  return calibrationSchema.parse(
    calibrationOf({ ...options.on, cell: id, name: kernelName(plan), backend, measuredAt }, logRatios, options.seed),
  );
}
