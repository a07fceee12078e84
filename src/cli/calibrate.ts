import { calibrate as calibrationOf, calibrationSchema } from '../compare/calibration.ts';
import type { Calibration } from '../compare/calibration.ts';
import { defaultStore, saveCalibrations } from '../compare/store.ts';
import type { AdapterEntry } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import { armOf } from '../measure/arm.ts';
import type { CellPlan } from '../measure/measure-cell.ts';
import { defaultBlockSeconds, measureBlock } from '../measure/pair-block.ts';
import type { BlockOutcome } from '../measure/pair-block.ts';
import { kernelName, planCells, recordedBackends, selects } from '../measure/plan-cells.ts';
import { exitCodes, print, printJson, remark } from './console.ts';
import type { ExitCode } from './console.ts';
import { describeRun } from './describe-run.ts';
import { percent } from '../text/figures.ts';
import { table } from '../text/layout.ts';
import { barOf } from './gate.ts';
import { loadSuite } from './load-suite.ts';
import { measuring } from './measuring.ts';
import type { MeasuringFlags } from './measuring.ts';

export interface CalibrateFlags extends MeasuringFlags {
  readonly blocks: number;
  readonly seed: number;
  readonly store?: string;
  readonly threads?: number;
}

/** A/A: measures equal arms of a suite's timed cells, and stores what this host can tell apart. */
export async function calibrate(suiteName: string, flags: CalibrateFlags, builtIn: readonly AdapterEntry[]): Promise<ExitCode> {
  const { suite, ...loaded } = await loadSuite(suiteName);
  const adapters = [...loaded.adapters, ...builtIn];
  const plans = await planCells(suite, adapters);
  const timed = suite.gates.filter(({ metric }) => metric === 'latency' || metric === 'ratio-to-reference');
  const wanted = timed.length === 0 ? plans : plans.filter((plan) => timed.some((gate) => selects(gate.select, plan)));
  const { host, warnings } = await describeRun(recordedBackends(suite, adapters), adapters);
  for (const warning of warnings) remark(`noise: ${warning}`, flags);
  const bar = barOf(flags);
  const calibrations = await measuring(flags, async (signal) => {
    const found: Calibration[] = [];
    for (const plan of wanted) {
      const step = (block: number) => bar.step(found.length * flags.blocks + block, wanted.length * flags.blocks, kernelName(plan));
      found.push(await calibrateCell(plan, { ...flags, fingerprint: host.fingerprint.sha256, signal, step }));
    }
    return found;
  }).finally(bar.stop);
  const store = flags.store ?? defaultStore;
  await saveCalibrations(store, calibrations);
  if (flags.json === true) printJson({ store, calibrations });
  else print(`${calibrationTable(calibrations)}\n\nkept in ${store} for 14 days, for the host with fingerprint ${host.fingerprint.short}`);
  return exitCodes.pass;
}

async function calibrateCell(
  plan: CellPlan,
  options: CalibrateFlags & { fingerprint: string; signal: AbortSignal; step(block: number): void },
): Promise<Calibration> {
  const arm = armOf(plan, undefined, options.threads);
  const logRatios: number[] = [];
  let last: Extract<BlockOutcome, { state: 'measured' }> | undefined;
  for (let index = 0; index < options.blocks; index++) {
    options.step(index);
    const settings = {
      seed: options.seed,
      index,
      judgedRows: 16,
      samplingNs: defaultBlockSeconds * 1e9,
      timeoutSeconds: 300,
      signal: options.signal,
    };
    const outcome = await measureBlock({ base: arm, new: arm }, { ...settings, ...(last && { callsPerSample: last.callsPerSample }) });
    if (outcome.state === 'fault')
      throw new AttnswapError('WORKER_FAILED', `${plan.cell.id}: ${outcome.fault.status}: ${outcome.fault.reason}`);
    last ??= outcome;
    logRatios.push(outcome.block.logRatio);
  }
  const { id, backend } = plan.cell;
  const measuredAt = new Date().toISOString();
  return calibrationSchema.parse(
    calibrationOf({ fingerprint: options.fingerprint, cell: id, name: kernelName(plan), backend, measuredAt }, logRatios, options.seed),
  );
}

function calibrationTable(calibrations: readonly Calibration[]): string {
  const heading = ['cell', 'blocks', 'sd of a block', 'bias', 'floor', 'detectable', 'least margin'];
  const rows = calibrations.map(({ cell, logRatios, standardDeviation, bias, floor, minimumDetectableEffect }) => [
    cell.replace(/ b\d.* q(\d+) .*/, ' $1'),
    String(logRatios.length),
    percent(standardDeviation),
    `${bias < 0 ? '−' : ''}${percent(Math.abs(bias))}`,
    percent(floor),
    percent(minimumDetectableEffect),
    percent(2 * minimumDetectableEffect),
  ]);
  const note =
    'floor: 95 % of A/A differences at the first look are smaller. detectable: the smallest change that 20 blocks show 9 times in 10.\n' +
    'least margin: a gate with a smaller one refuses.';
  return `${table([heading, ...rows])}\n\n${note}`;
}
