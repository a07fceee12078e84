import { assemble } from '../compare/assemble.ts';
import { calibrationFor, refusalOf } from '../compare/calibration.ts';
import { compareLatency } from '../compare/compare-latency.ts';
import { defaultStore, loadCalibrations } from '../compare/store.ts';
import type { AdapterEntry } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import { readSuite } from '../contract/suite.ts';
import type { Comparison } from '../contract/verdict.ts';
import { judgeMissing } from '../decide/judge-figures.ts';
import type { Rule } from '../decide/rule.ts';
import { planUpTo } from '../decide/sequential.ts';
import { armOf, checkoutOf } from '../measure/arm.ts';
import type { Arm } from '../measure/arm.ts';
import type { CellPlan } from '../measure/measure-cell.ts';
import { kernelName, planCells } from '../measure/plan-cells.ts';
import { remark } from './console.ts';
import type { CommonFlags, ExitCode } from './console.ts';
import { describeRun } from './describe-run.ts';
import { measuring } from './measuring.ts';
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

export interface AbFlags extends CommonFlags, CellFlags, VerdictFlags {
  readonly baseBackend?: string;
  readonly adapter?: string;
  readonly baseAdapter?: string;
  readonly baseDir?: string;
  readonly margin: number;
  readonly store?: string;
}

/** Compares B (new) with A (base) in paired blocks, and exits as a gate does: 1 where B is slower. */
export async function ab(a: string, b: string | undefined, flags: AbFlags, adapters: readonly AdapterEntry[]): Promise<ExitCode> {
  const fresh = await planArm(b ?? a, flags, { backend: flags.backend, adapter: flags.adapter }, adapters);
  const base = await planArm(a, flags, { backend: flags.baseBackend ?? flags.backend, adapter: flags.baseAdapter }, adapters);
  const checkout = flags.baseDir === undefined ? undefined : checkoutOf(flags.baseDir);
  const arms = { base: armOf(base, checkout, flags.threads), new: armOf(fresh, undefined, flags.threads) };
  refuseEqual(arms, b);
  const startedAt = new Date().toISOString();
  const head = await describeRun([base.cell.backend, fresh.cell.backend], adapters);
  for (const warning of head.warnings) remark(`noise: ${warning}`, flags);
  const comparison = await judge(arms, head.host.fingerprint.sha256, flags);
  const { tool, command, host, warnings } = head;
  const name = `${kernelName(base)} → ${kernelName(fresh)}`;
  const verdict = assemble(
    { tool, kind: 'ab', name, command, startedAt, host, base: flags.baseDir ?? kernelName(base), seed: flags.seed, warnings },
    [comparison],
  );
  return emitVerdict(verdict, flags);
}

async function judge(arms: { base: Arm; new: Arm }, fingerprint: string, flags: AbFlags): Promise<Comparison> {
  const { plan } = arms.new;
  const rule: Rule = {
    metric: 'latency',
    margin: flags.margin / 100,
    direction: 'lower',
    absoluteFloor: 0,
    limit: null,
    onInconclusive: 'fail',
    owner: null,
    decides: true,
  };
  const subject = { cell: plan.cell.id, name: `${kernelName(arms.base.plan)} → ${kernelName(plan)}` };
  const host = { fingerprint, now: new Date() };
  const calibration = calibrationFor(await loadCalibrations(flags.store ?? defaultStore), plan.cell, host);
  const refusal = calibration === undefined ? undefined : refusalOf(rule.margin, calibration);
  if (refusal !== undefined) return judgeMissing(subject, rule, 'refused', refusal);
  const { comparison } = await measuring((signal) =>
    compareLatency(arms, subject, rule, {
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
export async function planArm(
  variant: string,
  flags: CellFlags,
  arm: { backend: string; adapter: string | undefined },
  adapters: readonly AdapterEntry[],
): Promise<CellPlan> {
  const { length, inputs, dtype, batch, heads, kvHeads, headDim, seed } = flags;
  const matrix = {
    variants: [variant],
    backends: [arm.backend],
    lengths: [length],
    inputs: [inputs],
    causal: [flags.full !== true],
    dtypes: [dtype],
    ...{ batch, heads, headDim, seed, ...(kvHeads !== undefined && { kvHeads }) },
  };
  const entries = arm.adapter === undefined ? adapters : [await adapterAt(arm.adapter)];
  const [plan] = await planCells(readSuite({ name: 'ab', matrix }, 'ab'), entries);
  return plan!;
}

/** Equal arms are allowed only when they are asked for: `ab A A`. */
function refuseEqual(arms: { base: Arm; new: Arm }, b: string | undefined): void {
  const same =
    arms.base.cell.id === arms.new.cell.id && arms.base.adapterModule === arms.new.adapterModule && arms.base.cwd === arms.new.cwd;
  if (!same || b !== undefined) return;
  throw new AttnswapError('USAGE', 'both arms are the same', {
    hint: 'name a second variant, or --base-dir, --base-backend or --base-adapter',
  });
}
