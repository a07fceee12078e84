import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { assemble } from '../compare/assemble.ts';
import { calibrationFor, refusalOf } from '../compare/calibration.ts';
import { compareLatency } from '../compare/compare-latency.ts';
import { blockText } from '../compare/until-decided.ts';
import { loadCalibrations } from '../compare/store.ts';
import type { AdapterEntry } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import type { DType } from '../contract/shape.ts';
import { readSuite } from '../contract/suite.ts';
import type { ComparedFigure, Comparison, Verdict } from '../contract/verdict.ts';
import { judgeMissing } from '../decide/judge-figures.ts';
import { isCalibrated, plainRule } from '../decide/rule.ts';
import { planUpTo } from '../decide/sequential.ts';
import { adapterAt, findAdapter } from '../loading/adapter.ts';
import { alone } from '../measure/alone.ts';
import { armOf, checkoutOf, modelArm } from '../measure/arm.ts';
import type { Arm, Checkout } from '../measure/arm.ts';
import type { CellPlan } from '../measure/measure-cell.ts';
import { describeHost } from '../measure/host.ts';
import { defaultBlockSeconds } from '../measure/pair-block.ts';
import { kernelName, planCells } from '../measure/plan-cells.ts';
import { defaults } from './defaults.ts';
import { describeRun } from './head.ts';
import { requireKnownDimensions } from './known-dimensions.ts';
import { adaptersOf } from './options.ts';
import type { OperationOptions } from './options.ts';

/** The cell that both arms share; of models it says nothing. */
export interface CellOptions {
  /** Tokens, for queries and keys. @default 1024 */
  readonly length?: number | undefined;
  /** `gaussian`, `calibrated` or `captured:<file>`. @default 'calibrated' */
  readonly inputs?: string | undefined;
  /** @default true */
  readonly causal?: boolean | undefined;
  /** @default 'f32' */
  readonly dtype?: DType | undefined;
  /** @default 1 */
  readonly batch?: number | undefined;
  /** Query heads. @default 8 */
  readonly heads?: number | undefined;
  /** Key and value heads. @default as many as `heads` */
  readonly kvHeads?: number | undefined;
  /** @default 64 */
  readonly headDim?: number | undefined;
}

/** How a comparison in blocks is made. */
export interface BlockOptions {
  /** Blocks at the last look. @default 40 */
  readonly maxBlocks?: number | undefined;
  /** Sampling time per block, seconds. @default 0.2 */
  readonly blockSeconds?: number | undefined;
  /** Random seed for inputs and the order of rounds. @default 1 */
  readonly seed?: number | undefined;
  /** Threads per operator. @default the runtime's own */
  readonly threads?: number | undefined;
  /** Folder with calibrations and baselines. @default '.attnswap' */
  readonly store?: string | undefined;
}

export interface AbOptions extends OperationOptions, CellOptions, BlockOptions {
  /** The base: `name[.kernel][:key=value,…]`, or the path of an ONNX model. */
  readonly base: string;
  /** The new version. @default `base`, from another checkout, backend or adapter */
  readonly new?: string | undefined;
  /** Sizes of a model's dynamic dimensions. */
  readonly dimensions?: Readonly<Record<string, number>> | undefined;
  /** @default 'onnx-cpu' */
  readonly backend?: string | undefined;
  /** The base's backend, if different. */
  readonly baseBackend?: string | undefined;
  /** A module that exports the new version's adapter. */
  readonly adapter?: string | undefined;
  /** A module that exports the base's adapter. */
  readonly baseAdapter?: string | undefined;
  /** A checkout or installation that the base runs from. */
  readonly baseDir?: string | undefined;
  /** What is compared. @default 'latency' */
  readonly metric?: ComparedFigure | undefined;
  /** Largest acceptable slowdown, as a share. @default 0.05 */
  readonly margin?: number | undefined;
}

/** One side as it is shown. */
interface Side {
  readonly arm: Arm;
  readonly name: string;
  /** What is the same in every run. */
  readonly id: string;
  readonly backend: string;
}

/**
 * Compares the latency of two cells, or two models, in blocks of fresh process pairs.
 * @throws USAGE where both are the same and only one was named, or for a size of a dimension that neither model has; UNKNOWN_VARIANT, UNKNOWN_BACKEND, FILE_UNREADABLE, BUSY, INTERRUPTED
 */
export async function ab(options: AbOptions): Promise<Verdict> {
  const { base: a, new: b, backend = defaults.backend, seed = defaults.seed } = options;
  const adapters = adaptersOf(options);
  // It watches other processes for a while: meanwhile the adapters load.
  const described = describeHost();
  described.catch(() => undefined);
  const checkout = options.baseDir === undefined ? undefined : checkoutOf(options.baseDir);
  const models = [resolve(checkout?.directory ?? '.', a), resolve(b ?? a)].filter(isModel);
  await requireKnownDimensions(options.dimensions, models, [...new Set([a, b ?? a].filter(isModel))].join(' and '));
  const baseOrigin = { backend: options.baseBackend ?? backend, adapter: options.baseAdapter, checkout };
  const base = await sideOf(a, options, baseOrigin, adapters);
  const fresh = await sideOf(b ?? a, options, { backend, adapter: options.adapter, checkout: undefined }, adapters);
  refuseEqual(base, fresh, b);
  const startedAt = new Date().toISOString();
  const { tool, command, host, warnings } = await describeRun([base.backend, fresh.backend], adapters, options, described);
  const comparison = await judge(base, fresh, host, options);
  const name = `${base.name} → ${fresh.name}`;
  const head = { tool, kind: 'ab' as const, name, command, startedAt, host, base: options.baseDir ?? base.name, seed, warnings };
  return assemble(head, [comparison]);
}

interface Origin {
  readonly backend: string;
  readonly adapter: string | undefined;
  readonly checkout: Checkout | undefined;
}

function isModel(what: string): boolean {
  return what.endsWith('.onnx');
}

/** A model's file, or a cell. */
async function sideOf(what: string, options: AbOptions, origin: Origin, adapters: readonly AdapterEntry[]): Promise<Side> {
  const { backend, checkout } = origin;
  const { seed = defaults.seed, threads } = options;
  const entries = origin.adapter === undefined ? adapters : [await adapterAt(origin.adapter)];
  if (!isModel(what)) {
    const plan = await planCell(what, options, backend, entries);
    return { arm: armOf(plan, checkout, threads), name: kernelName(plan), id: plan.cell.id, backend };
  }
  const file = resolve(checkout?.directory ?? '.', what);
  if (!existsSync(file))
    throw new AttnswapError('FILE_UNREADABLE', `${file}: no such file, expected an ONNX model`, { hint: 'check the path' });
  const model = { backend, model: file, feeds: { sizes: options.dimensions ?? {}, seed }, ...(threads !== undefined && { threads }) };
  const sizes = Object.entries(model.feeds.sizes).map(([dimension, size]) => `${dimension}=${size}`);
  return { arm: modelArm(model, findAdapter(entries, backend), checkout), name: what, id: [what, backend, ...sizes].join(' '), backend };
}

async function judge(base: Side, fresh: Side, host: unknown, options: AbOptions): Promise<Comparison> {
  const { margin = defaults.margin, maxBlocks = defaults.maxBlocks, store = defaults.store, onProgress } = options;
  const rule = plainRule(options.metric ?? defaults.metric, margin);
  const subject = { cell: fresh.id, name: `${base.name} → ${fresh.name}` };
  const calibrations = isCalibrated(rule.metric) ? await loadCalibrations(store) : [];
  const calibration = calibrationFor(calibrations, fresh, { host, now: new Date() });
  const refusal = calibration === undefined ? undefined : refusalOf(rule.margin, calibration);
  if (refusal !== undefined) return judgeMissing(subject, rule, 'refused', refusal);
  const { comparison } = await alone(options, (signal) =>
    compareLatency({ base: base.arm, new: fresh.arm }, subject, rule, {
      seed: options.seed ?? defaults.seed,
      floor: calibration?.floor ?? null,
      family: 1,
      plan: planUpTo(maxBlocks),
      blockSeconds: options.blockSeconds ?? defaultBlockSeconds,
      timeoutSeconds: 300,
      signal,
      progress: (block, setAside) => onProgress?.({ what: blockText(block, maxBlocks, setAside), done: block, total: maxBlocks }),
    }),
  );
  return comparison;
}

/** One cell by the options. @throws what planning throws */
export async function planCell(
  variant: string,
  options: CellOptions & BlockOptions,
  backend: string,
  adapters: readonly AdapterEntry[],
): Promise<CellPlan> {
  const { length, inputs, causal, dtype, batch, heads, headDim } = defaults.cell;
  const matrix = {
    variants: [variant],
    backends: [backend],
    lengths: [options.length ?? length],
    inputs: [options.inputs ?? inputs],
    causal: [options.causal ?? causal],
    dtypes: [options.dtype ?? dtype],
    batch: options.batch ?? batch,
    heads: options.heads ?? heads,
    headDim: options.headDim ?? headDim,
    seed: options.seed ?? defaults.seed,
    ...(options.kvHeads !== undefined && { kvHeads: options.kvHeads }),
  };
  const [plan] = await planCells(readSuite({ name: 'ab', matrix }, 'ab'), adapters);
  return plan!;
}

/** Equal arms are allowed only when they are asked for: `ab A A`. */
function refuseEqual(base: Side, fresh: Side, b: string | undefined): void {
  const same = base.id === fresh.id && JSON.stringify(base.arm) === JSON.stringify(fresh.arm);
  if (!same || b !== undefined) return;
  throw new AttnswapError('USAGE', 'both arms are the same', {
    hint: 'add a second variant, --base-dir, --base-backend or --base-adapter',
  });
}
