import { rm, stat } from 'node:fs/promises';
import type { ModelProto } from 'onnx-buf';
import { AttnswapError } from '../contract/errors.ts';
import type { Span } from '../contract/span.ts';
import { exactnessOf, seesAll } from '../migration/exactness.ts';
import { driftSize } from '../migration/quality-of.ts';
import { swapOnItems } from '../migration/swap-on-items.ts';
import type { SwapOnItems } from '../migration/swap-on-items.ts';
import { parseReplacements, parseSites } from '../migration/parse-replacements.ts';
import { findCache } from '../model/cache/find-cache.ts';
import { requireCache } from '../model/cache/require-cache.ts';
import { compareOutputs } from '../model/swap/compare-outputs.ts';
import type { OutputComparison } from '../model/swap/compare-outputs.ts';
import { compareSites } from '../model/swap/compare-sites.ts';
import type { SiteComparison } from '../model/swap/compare-sites.ts';
import type { ModelSites } from '../model/sites/find-sites.ts';
import { readOnnxFile, writeOnnxFile } from '../model/file/onnx-file.ts';
import type { OnnxFile } from '../model/file/onnx-file.ts';
import { proveUnchanged } from '../model/swap/prove.ts';
import type { SwapProof } from '../model/swap/prove.ts';
import { swapSites } from '../model/swap/swap.ts';
import type { Replacement } from '../model/swap/swap.ts';
import { digits } from '../text/figures.ts';
import { formatVariant } from '../variants/index.ts';
import { defaults } from './defaults.ts';
import { itemsFor } from './model-data.ts';
import type { DataOptions } from './data-options.ts';
import { loadModel } from './open-model.ts';
import type { ModelOptions } from './open-model.ts';

export interface SwapOptions extends ModelOptions, Omit<DataOptions, 'data'> {
  /** What the two models' outputs are compared on, beside random inputs: as of a migration. @default nothing */
  readonly data?: readonly string[] | undefined;
  /** Variants, as `name[.kernel][:key=value,…]`, or `sites=variant`, such as `0,2-3=window:w=64`. */
  readonly variants: readonly string[];
  /** The sites that a variant without sites is for, such as `0,2-3`. @default all that can be swapped */
  readonly sites?: string | undefined;
  /** Where the new model is written. */
  readonly out: string;
  /** Items of each length that the outputs are compared on, where there are data. @default all tensor files, else 8 */
  readonly items?: number | undefined;
  /** Of a gate's weights, and of what is drawn. @default 1 */
  readonly seed?: number | undefined;
}

/** Other attention at a site. */
export interface SiteChange {
  readonly site: number;
  /** The old attention's node. */
  readonly node: string;
  /** The branch of an `If` that it lies in; null in the model's own graph. */
  readonly body: string | null;
  readonly variant: string;
  /** Of a site that is windowed already: the keys before and after its own that a query sees; null for others. */
  readonly window: Span | null;
  /** Whether the new attention sees the same keys as the old. */
  readonly exact: boolean;
  /** The length up to which the site's mask and sizes were seen to hold; null where none is known. */
  readonly provenLength: number | null;
  /** What the user said of its mask and no run showed; null where nothing had to be assumed. */
  readonly assumed: string | null;
}

/** A swap that was made and proven. */
export interface SwapRecord {
  /** Path of the new model. */
  readonly out: string;
  readonly changes: readonly SiteChange[];
  /** That nothing else changed. */
  readonly proof: SwapProof;
  /** Each new attention against its definition, on what the site reads. */
  readonly atSites: readonly SiteComparison[];
  /** The two models' outputs on drawn inputs. */
  readonly comparison: OutputComparison;
  /** The two models' outputs on the user's items; null without data. */
  readonly onData: SwapOnItems | null;
  /** Nodes that were rewritten because the model is older than opset 13. */
  readonly rewrittenForOpset13: ModelSites['rewritten'];
  /** The model's own functions that were inlined. */
  readonly inlinedFunctions: ModelSites['inlined'];
}

/**
 * Writes a model with other attention at the chosen sites, and proves that nothing else changed.
 * @throws USAGE where `out` is the model itself; UNSUPPORTED where no site can be swapped; INVALID_MODEL, UNKNOWN_VARIANT;
 * WORKER_FAILED where a new attention is wrong: then nothing is written
 */
export async function swap(options: SwapOptions): Promise<SwapRecord> {
  const { model: path, out, dimensions, seed = defaults.seed } = options;
  await requireOtherFile(path, out);
  const loaded = await loadModel(options);
  const { file, runner, sites } = loaded;
  const chosen = options.sites === undefined ? [...sites.swappable.keys()] : parseSites(options.sites);
  const replacements = parseReplacements(options.variants, chosen, runner.adapter);
  if (replacements.size === 0)
    throw new AttnswapError('UNSUPPORTED', `${path}: no site can be swapped`, { hint: `attnswap sites ${path} says why` });
  const swapped = swapSites(sites, { adapter: runner.adapter, replacements, seed });
  const replaced = [...replacements.keys()].map((number) => sites.swappable.get(number)!);
  options.onProgress?.({ what: 'comparing both models' });
  const comparison = await compareOutputs(file, { sites, swapped, replaced }, runner, dimensions);
  const atSites = await compareSites(file, { sites, swapped, replacements, seed }, runner, dimensions);
  await requireCache(swapped, await findCache(sites, file, runner, dimensions), file, runner);
  refuseWrong(path, atSites);
  refuseInexact(path, { sites, replacements, comparison });
  const items = options.data === undefined ? null : await itemsFor(loaded, { ...options, data: options.data }, defaults.items);
  const onData = items && (await swapOnItems({ ...loaded, swapped, replacements, seed }, items));
  refuseOnData(path, onData);
  const proof = await writeProven(out, { sites, swapped, file });
  const changes = replaced.map(({ site }) => ({
    site: site.site,
    node: site.node,
    body: site.body ?? null,
    variant: nameOf(replacements.get(site.site)!),
    window: site.window ?? null,
    exact: seesAll(site, replacements.get(site.site)!),
    provenLength: site.provenLength ?? null,
    assumed: site.assumed ?? null,
  }));
  return { out, changes, proof, atSites, comparison, onData, rewrittenForOpset13: sites.rewritten, inlinedFunctions: sites.inlined };
}

/** @throws WORKER_FAILED where an exact swap is not exact on the user's own items, or the swapped model does not run on one */
function refuseOnData(path: string, onData: SwapOnItems | null): void {
  if (onData === null || (onData.drift.state === 'measured' && onData.judgement?.outcome !== 'regression')) return;
  throw new AttnswapError('WORKER_FAILED', `${path}: ${onDataText(onData)}; nothing was written`, {
    hint: 'please report this model: attnswap sites MODEL --json',
  });
}

/** How far the outputs differ on the user's items. */
export function onDataText({ drift, judgement }: SwapOnItems): string {
  if (drift.state === 'fault') return drift.reasons[0]!;
  if (judgement !== null) return judgement.reason;
  const { output, farthestItem } = drift.outputs.reduce((a, b) => (driftSize(b) > driftSize(a) ? b : a));
  const size = digits(Math.max(...drift.outputs.map(driftSize)));
  return `outputs of ${drift.items} items differ by ${size} of their size on average (output ${output}; largest for item ${farthestItem}); this is not judged`;
}

function nameOf({ variant, kernel, parameters }: Replacement): string {
  return formatVariant({ variant, kernel, parameters });
}

/** A swap needs its original for every later comparison. @throws USAGE where both are one file, under whatever names */
async function requireOtherFile(path: string, out: string): Promise<void> {
  const [model, target] = await Promise.all([path, out].map((file) => stat(file).catch(() => undefined)));
  if (model === undefined || target === undefined || model.ino !== target.ino || model.dev !== target.dev) return;
  throw new AttnswapError('USAGE', `${out}: would overwrite the original, which the swap is compared with`, {
    hint: 'choose another name with --out',
  });
}

interface Proving {
  readonly sites: ModelSites;
  readonly swapped: ModelProto;
  readonly file: OnnxFile;
}

/** Proves the model before it is written, and what was written once more; a file that fails is taken back. */
async function writeProven(out: string, { sites, swapped, file }: Proving): Promise<SwapProof> {
  proveUnchanged(sites.proto, swapped);
  await writeOnnxFile(out, swapped, file);
  try {
    return proveUnchanged(sites.proto, (await readOnnxFile(out)).proto);
  } catch (error) {
    await rm(out, { force: true });
    throw error;
  }
}

/** New attention must be what its variant is defined to be, on what each site itself reads. */
function refuseWrong(path: string, atSites: readonly SiteComparison[]): void {
  const wrong = atSites.find(({ reason }) => reason !== undefined);
  if (wrong === undefined) return;
  throw new AttnswapError(
    'WORKER_FAILED',
    `${path}: the new attention at site ${wrong.site} is wrong: ${wrong.reason}; nothing was written`,
    {
      hint: 'please report this model: attnswap sites MODEL --json',
    },
  );
}

interface Compared {
  readonly sites: ModelSites;
  readonly replacements: ReadonlyMap<number, Replacement>;
  readonly comparison: OutputComparison;
}

/**
 * Attention that sees the same keys as the old must give the same outputs, but for rounding. A model that quantizes is judged at its sites alone, as no
 * bound on its outputs follows from rounding. Queries that see no key were left out of the comparison.
 */
function refuseInexact(path: string, { sites, replacements, comparison: { largest } }: Compared): void {
  const exactness = exactnessOf(sites, { replacements });
  if (exactness === null || exactness.exception === 'quantized' || largest <= exactness.tolerance) return;
  const message = `${path}: attention to the same keys changed the outputs by ${digits(largest)} of their size, expected at most ${exactness.tolerance.toExponential()}; nothing was written`;
  throw new AttnswapError('WORKER_FAILED', message, { hint: 'please report this model: attnswap sites MODEL --json' });
}
