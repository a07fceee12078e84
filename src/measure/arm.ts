import { existsSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { AttnswapError } from '../contract/errors.ts';
import type { AdapterEntry } from '../contract/adapter.ts';
import type { CellRequest, ModelArmRequest } from './messages.ts';
import type { CellPlan } from './measure-cell.ts';

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
/** Where `src` and `adapters` of this attnswap lie. */
const ownCode = new URL('../../', import.meta.url);

/** One side of a comparison: what is run, and which version of attnswap runs it, where. */
export interface Arm {
  readonly request: CellRequest | ModelArmRequest;
  /** Path of the resident worker's script. */
  readonly worker: string;
  /** Path of the script that runs one stage. */
  readonly stageWorker: string;
  readonly cwd: string;
}

/** An arm that is a planned cell. */
export interface CellArm extends Arm {
  readonly request: CellRequest;
  readonly plan: CellPlan;
}

/** An arm that is a whole model. */
export interface ModelArm extends Arm {
  readonly request: ModelArmRequest;
}

/**
 * Whether arms start their workers afresh: different versions of attnswap may not both fork them, and in different folders each would be forked from a
 * process of its own, whose layout the interval does not contain.
 */
export function areApart(arms: { readonly base: Arm; readonly new: Arm }): boolean {
  return arms.base.worker !== arms.new.worker || arms.base.cwd !== arms.new.cwd;
}

/** A folder whose attnswap, or whose files, the base arm uses. */
export interface Checkout {
  readonly directory: string;
  /** Where `src` and `adapters` lie. */
  readonly code: URL;
  readonly extension: 'ts' | 'js';
}

/** The attnswap that runs this. */
export const ownCheckout: Checkout = {
  get directory() {
    return process.cwd();
  },
  code: ownCode,
  extension,
};

/**
 * The attnswap of a folder: the folder itself if it is a checkout, else the package that is installed in it, else this one
 * (then the arms differ only in the files that the suite reads).
 * @throws USAGE where the folder does not exist, or its attnswap is too old to be compared
 */
export function checkoutOf(directory: string): Checkout {
  const path = resolve(directory);
  if (!existsSync(path))
    throw new AttnswapError('USAGE', `--base-dir ${directory}: no such folder`, { hint: 'git worktree add ../base main' });
  const root = [path, join(path, 'node_modules/attnswap')].find(isAttnswap);
  if (root === undefined) return { ...ownCheckout, directory: path };
  const found = [
    { code: root, extension: 'ts' as const },
    { code: join(root, 'dist'), extension: 'js' as const },
  ].find((candidate) => existsSync(join(candidate.code, `src/measure/pair-worker.${candidate.extension}`)));
  if (found === undefined) {
    throw new AttnswapError('USAGE', `${root}: this version of attnswap does not support paired comparisons (it has no pair worker)`, {
      hint: 'build it (npm run build) or compare with a later version',
    });
  }
  return { directory: path, code: pathToFileURL(`${found.code}/`), extension: found.extension };
}

function isAttnswap(path: string): boolean {
  const file = join(path, 'package.json');
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { name?: unknown }).name === 'attnswap';
  } catch {
    return false;
  }
}

/** The arm that runs a cell with a checkout's attnswap, in its folder. */
export function armOf(plan: CellPlan, checkout: Checkout = ownCheckout, threads?: number): CellArm {
  const request = { cell: plan.cell, adapterModule: rebased(plan.entry.module, checkout), threads };
  return { plan, request, worker: script('pair-worker', checkout), stageWorker: script('worker', checkout), cwd: checkout.directory };
}

/** The arm that runs a model with a checkout's attnswap; a relative path is the checkout's. */
export function modelArm(model: Omit<ModelArmRequest, 'adapterModule'>, entry: AdapterEntry, checkout: Checkout = ownCheckout): ModelArm {
  const request = { ...model, adapterModule: rebased(entry.module, checkout) };
  return { request, worker: script('pair-worker', checkout), stageWorker: script('worker', checkout), cwd: checkout.directory };
}

function script(name: string, { code, extension: suffix }: Checkout): string {
  return fileURLToPath(new URL(`src/measure/${name}.${suffix}`, code));
}

/** A module of this attnswap, or of the working folder, becomes the checkout's own; others, and what it has not, stay. */
function rebased(module: string, checkout: Checkout): string {
  if (!module.startsWith(ownCode.href)) {
    const path = join(checkout.directory, relative(process.cwd(), fileURLToPath(module)));
    return existsSync(path) ? pathToFileURL(path).href : module;
  }
  return new URL(module.slice(ownCode.href.length).replace(/\.[jt]s(?=$|\?)/, `.${checkout.extension}`), checkout.code).href;
}
