import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { assemble } from '../compare/assemble.ts';
import { calibrationFor, refusalOf } from '../compare/calibration.ts';
import { compareLatency } from '../compare/compare-latency.ts';
import { defaultStore, loadCalibrations } from '../compare/store.ts';
import type { AdapterEntry } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import { readSuite } from '../contract/suite.ts';
import type { Comparison } from '../contract/verdict.ts';
import { judgeMissing } from '../decide/judge-figures.ts';
import { plainRule } from '../decide/rule.ts';
import { planUpTo } from '../decide/sequential.ts';
import { armOf, checkoutOf, modelArm } from '../measure/arm.ts';
import type { Arm, Checkout } from '../measure/arm.ts';
import type { CellPlan } from '../measure/measure-cell.ts';
import { findAdapter, kernelName, planCells } from '../measure/plan-cells.ts';
import { remark } from './console.ts';
import type { ExitCode } from './console.ts';
import { describeRun } from './describe-run.ts';
import { measuring } from './measuring.ts';
import type { MeasuringFlags } from './measuring.ts';
import { adapterAt } from './load-adapter.ts';
import { emitVerdict } from './emit-verdict.ts';
import type { VerdictFlags } from './emit-verdict.ts';

/** The cell that both arms share. */
export interface CellFlags {
  readonly backend: string;
  readonly length: number;
  readonly inputs: string;
  readonly full?: boolean;
  readonly dtype: string;
  readonly batch: number;
  readonly heads: number;
  readonly kvHeads?: number;
  readonly headDim: number;
  readonly seed: number;
  readonly threads?: number;
}

export interface AbFlags extends MeasuringFlags, CellFlags, VerdictFlags {
  /** Sizes of a model's symbolic dimensions. */
  readonly dim?: Readonly<Record<string, number>>;
  readonly baseBackend?: string;
  readonly adapter?: string;
  readonly baseAdapter?: string;
  readonly baseDir?: string;
  readonly margin: number;
  readonly store?: string;
}

/** One side as it is shown. */
interface Side {
  readonly arm: Arm;
  readonly name: string;
  /** What is the same in every run. */
  readonly id: string;
  readonly backend: string;
}

/** Compares B (new) with A (base) in paired blocks, and exits as a gate does: 1 where B is slower. */
export async function ab(a: string, b: string | undefined, flags: AbFlags, adapters: readonly AdapterEntry[]): Promise<ExitCode> {
  const checkout = flags.baseDir === undefined ? undefined : checkoutOf(flags.baseDir);
  const baseOrigin = { backend: flags.baseBackend ?? flags.backend, adapter: flags.baseAdapter, checkout };
  const base = await sideOf(a, flags, baseOrigin, adapters);
  const fresh = await sideOf(b ?? a, flags, { backend: flags.backend, adapter: flags.adapter, checkout: undefined }, adapters);
  refuseEqual(base, fresh, b);
  const startedAt = new Date().toISOString();
  const head = await describeRun([base.backend, fresh.backend], adapters);
  for (const warning of head.warnings) remark(`noise: ${warning}`, flags);
  const comparison = await judge(base, fresh, head.host.fingerprint.sha256, flags);
  const { tool, command, host, warnings } = head;
  const name = `${base.name} → ${fresh.name}`;
  const verdict = assemble(
    { tool, kind: 'ab', name, command, startedAt, host, base: flags.baseDir ?? base.name, seed: flags.seed, warnings },
    [comparison],
  );
  return emitVerdict(verdict, flags);
}

interface Origin {
  readonly backend: string;
  readonly adapter: string | undefined;
  readonly checkout: Checkout | undefined;
}

/** A model's file where the name ends so, else a cell. */
async function sideOf(what: string, flags: AbFlags, origin: Origin, adapters: readonly AdapterEntry[]): Promise<Side> {
  const { backend, checkout } = origin;
  const entries = origin.adapter === undefined ? adapters : [await adapterAt(origin.adapter)];
  if (!what.endsWith('.onnx')) {
    const plan = await planArm(what, flags, backend, entries);
    return { arm: armOf(plan, checkout, flags.threads), name: kernelName(plan), id: plan.cell.id, backend };
  }
  const file = resolve(checkout?.directory ?? '.', what);
  if (!existsSync(file)) throw new AttnswapError('FILE_UNREADABLE', `${file}: there is no such model`);
  const { seed, threads } = flags;
  const model = { backend, model: file, feeds: { sizes: flags.dim ?? {}, seed }, ...(threads !== undefined && { threads }) };
  const sizes = Object.entries(model.feeds.sizes).map(([dimension, size]) => `${dimension}=${size}`);
  return { arm: modelArm(model, findAdapter(entries, backend), checkout), name: what, id: [what, backend, ...sizes].join(' '), backend };
}

async function judge(base: Side, fresh: Side, fingerprint: string, flags: AbFlags): Promise<Comparison> {
  const rule = plainRule('latency', flags.margin / 100);
  const subject = { cell: fresh.id, name: `${base.name} → ${fresh.name}` };
  const host = { fingerprint, now: new Date() };
  const calibrations = await loadCalibrations(flags.store ?? defaultStore);
  const calibration = calibrationFor(calibrations, { id: fresh.id, backend: fresh.backend }, host);
  const refusal = calibration === undefined ? undefined : refusalOf(rule.margin, calibration);
  if (refusal !== undefined) return judgeMissing(subject, rule, 'refused', refusal);
  const { comparison } = await measuring(flags, (signal) =>
    compareLatency({ base: base.arm, new: fresh.arm }, subject, rule, {
      seed: flags.seed,
      floor: calibration?.floor ?? null,
      family: 1,
      plan: planUpTo(flags.maxBlocks),
      blockSeconds: flags.blockSeconds,
      timeoutSeconds: 300,
      signal,
      progress: (block) => remark(`block ${block + 1}`, flags),
    }),
  );
  return comparison;
}

/** One cell by the command line's flags. @throws what planning throws */
async function planArm(variant: string, flags: CellFlags, backend: string, adapters: readonly AdapterEntry[]): Promise<CellPlan> {
  const { length, inputs, dtype, batch, heads, kvHeads, headDim, seed } = flags;
  const matrix = {
    variants: [variant],
    backends: [backend],
    lengths: [length],
    inputs: [inputs],
    causal: [flags.full !== true],
    dtypes: [dtype],
    ...{ batch, heads, headDim, seed, ...(kvHeads !== undefined && { kvHeads }) },
  };
  const [plan] = await planCells(readSuite({ name: 'ab', matrix }, 'ab'), adapters);
  return plan!;
}

/** Equal arms are allowed only when they are asked for: `ab A A`. */
function refuseEqual(base: Side, fresh: Side, b: string | undefined): void {
  const same = base.id === fresh.id && JSON.stringify(base.arm) === JSON.stringify(fresh.arm);
  if (!same || b !== undefined) return;
  throw new AttnswapError('USAGE', 'both arms are the same', {
    hint: 'name a second variant, or --base-dir, --base-backend or --base-adapter',
  });
}
