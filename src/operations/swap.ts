import { stat } from 'node:fs/promises';
import { AttnswapError } from '../contract/errors.ts';
import { driftSize } from '../migration/quality-of.ts';
import { swapOnItems } from '../migration/swap-on-items.ts';
import type { SwapOnItems } from '../migration/swap-on-items.ts';
import { parseReplacements, parseSites, replacementsAnywhere } from '../migration/parse-replacements.ts';
import type { ModelSites } from '../model/sites/find-sites.ts';
import type { Site } from '../model/sites/site.ts';
import { isHostedModel } from '../model/hosted/model-path.ts';
import type { SwapProof } from '../model/swap/prove.ts';
import { capWarnings } from '../model/swap/soft-caps.ts';
import type { Replacement } from '../model/swap/swap.ts';
import { digits } from '../text/figures.ts';
import { checkedSwap, writeProven } from './checked-swap.ts';
import type { CheckedSwap, SiteChange } from './checked-swap.ts';
import { defaults } from './defaults.ts';
import { itemsFor } from './model-data.ts';
import { refuseWithoutData } from './data-options.ts';
import type { DataOptions } from './data-options.ts';
import { loadModel } from './open-model.ts';
import { swapHosted } from './swap-hosted.ts';
import type { LoadedModel, ModelOptions } from './open-model.ts';

export interface SwapOptions extends ModelOptions, Omit<DataOptions, 'data'> {
  /** Data on which the two models' outputs are compared, in addition to random inputs. @default none */
  readonly data?: readonly string[] | undefined;
  /** Variants, as `name[.kernel][:key=value,…]`, or `sites=variant`, such as `0,2-3=window:w=64`. */
  readonly variants: readonly string[];
  /** Sites for variants that name none, such as `0,2-3`. @default all that can be swapped */
  readonly sites?: string | undefined;
  /** Where the new model is written. */
  readonly out: string;
  /** Items per length on which outputs are compared, if there is data. @default all tensor files, else 8 */
  readonly items?: number | undefined;
  /** Random seed for gate weights and inputs. @default 1 */
  readonly seed?: number | undefined;
}

/** A swap that was made and proven. */
export interface SwapRecord {
  /** Path of the new model. */
  readonly out: string;
  readonly changes: readonly SiteChange[];
  /** Cross-attention sites that keep their own attention, because the variant selects keys by position. */
  readonly passedOver: readonly number[];
  /** What the new model would get wrong on another backend, in words. */
  readonly warnings: readonly string[];
  /** Proof that nothing else changed. */
  readonly proof: SwapProof;
  /** Each new attention compared with its definition, on the site's own inputs. */
  readonly atSites: CheckedSwap['atSites'];
  /** The two models' outputs on random inputs. */
  readonly comparison: CheckedSwap['comparison'];
  /** The two models' outputs on your items; null without data. */
  readonly onData: SwapOnItems | null;
  /** Nodes that were rewritten because the model is older than opset 13. */
  readonly rewrittenForOpset13: ModelSites['rewritten'];
  /** Model-local functions that were inlined. */
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
  if (await isHostedModel(path)) {
    const { sites, replacements, record } = await swapHosted(options);
    const passedOver = passedOverOf(options, sites, replacements);
    return { ...record, passedOver, warnings: [], onData: null, rewrittenForOpset13: [], inlinedFunctions: [] };
  }
  refuseWithoutData(options);
  const loaded = await loadModel(options);
  const { file, runner, sites, parts } = loaded;
  if (parts !== undefined)
    throw new AttnswapError('USAGE', `${path}: is a folder, expected an ONNX file`, { hint: 'swapFolder writes the files of a folder' });
  const replacements =
    options.sites === undefined
      ? replacementsAnywhere(options.variants, sites.sites, runner.adapter)
      : parseReplacements(options.variants, parseSites(options.sites), runner.adapter);
  if (replacements.size === 0)
    throw new AttnswapError('UNSUPPORTED', `${path}: no site can be swapped`, { hint: `attnswap sites ${path} says why` });
  options.onProgress?.({ what: 'comparing both models' });
  const checked = await checkedSwap(loaded, replacements, { seed, dimensions });
  const items = options.data === undefined ? null : await itemsFor(loaded, { ...options, data: options.data }, defaults.items);
  const onData = items && (await swapOnItems({ ...loaded, swapped: checked.swapped, replacements, seed }, items));
  refuseOnData(path, onData);
  const proof = await writeProven(out, { sites, swapped: checked.swapped, file });
  const passedOver = passedOverOf(options, sites.sites, replacements);
  const warnings = capWarnings(sites.sites, replacements, runner.adapter);
  return { ...recordOf(out, loaded, { checked, proof }), passedOver, warnings, onData };
}

/** Of a record what is of one file alone. */
export type FileRecord = Omit<SwapRecord, 'passedOver' | 'warnings' | 'onData'>;

/** What a swapped file's record says of it alone. */
export function recordOf(
  out: string,
  { sites }: LoadedModel,
  { checked: { changes, atSites, comparison }, proof }: { readonly checked: CheckedSwap; readonly proof: SwapProof },
): FileRecord {
  return { out, changes, proof, atSites, comparison, rewrittenForOpset13: sites.rewritten, inlinedFunctions: sites.inlined };
}

/** Cross-attention that nobody named, and that a variant was not for. */
export function passedOverOf(
  { sites: named, variants }: Pick<SwapOptions, 'sites' | 'variants'>,
  sites: readonly Site[],
  replacements: ReadonlyMap<number, Replacement>,
): number[] {
  if (named !== undefined || variants.every((text) => /^[\d,\s-]+=/.test(text))) return [];
  return sites.filter(({ swappable, site }) => swappable && !replacements.has(site)).map(({ site }) => site);
}

/** @throws WORKER_FAILED where an exact swap is not exact on the user's own items, or the swapped model does not run on one */
export function refuseOnData(path: string, onData: SwapOnItems | null): void {
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

/** A swap needs its original for every later comparison. @throws USAGE where both are one file, under whatever names */
export async function requireOtherFile(path: string, out: string): Promise<void> {
  const [model, target] = await Promise.all([path, out].map((file) => stat(file).catch(() => undefined)));
  if (model === undefined || target === undefined || model.ino !== target.ino || model.dev !== target.dev) return;
  throw new AttnswapError('USAGE', `${out}: would overwrite the original, which the swap is compared with`, {
    hint: 'choose another name with --out',
  });
}
