import { rm } from 'node:fs/promises';
import type { ModelProto } from 'onnx-buf';
import { AttnswapError } from '../contract/errors.ts';
import type { Span } from '../contract/span.ts';
import type { DimensionSizes } from '../inputs/model-inputs.ts';
import { exactnessOf, seesAll } from '../migration/exactness.ts';
import type { Exactable } from '../migration/exactness.ts';
import { findCache } from '../model/cache/find-cache.ts';
import { requireCache } from '../model/cache/require-cache.ts';
import { requireAsRead } from '../model/swap/as-read.ts';
import { compareOutputs } from '../model/swap/compare-outputs.ts';
import type { OutputComparison } from '../model/swap/compare-outputs.ts';
import { compareSites } from '../model/swap/compare-sites.ts';
import type { SiteComparison } from '../model/swap/compare-sites.ts';
import type { ModelSites } from '../model/sites/find-sites.ts';
import type { Site } from '../model/sites/site.ts';
import { readOnnxFile, writeOnnxFile } from '../model/file/onnx-file.ts';
import type { OnnxFile } from '../model/file/onnx-file.ts';
import { proveUnchanged } from '../model/swap/prove.ts';
import type { SwapProof } from '../model/swap/prove.ts';
import { swapSites } from '../model/swap/swap.ts';
import type { Replacement } from '../model/swap/swap.ts';
import { digits } from '../text/figures.ts';
import { formatVariant } from '../variants/index.ts';
import type { LoadedModel } from './open-model.ts';

/** Other attention at a site. */
export interface SiteChange {
  readonly site: number;
  /** The old attention's node. */
  readonly node: string;
  /** The branch of an `If` that contains it; null in the model's main graph. */
  readonly body: string | null;
  readonly variant: string;
  /** For a site that already has a window: how many keys before and after its own a query sees; null for others. */
  readonly window: Span | null;
  /** Whether the new attention sees the same keys as the old. */
  readonly exact: boolean;
  /** The length up to which the site's mask and sizes were checked; null if unknown. */
  readonly provenLength: number | null;
  /** What the user assumed about its mask and no run confirmed; null if nothing was assumed. */
  readonly assumed: string | null;
}

/** A model with other attention that was checked against its original, and is not written yet. */
export interface CheckedSwap {
  readonly swapped: ModelProto;
  readonly changes: readonly SiteChange[];
  /** Each new attention compared with its definition, on the site's own inputs. */
  readonly atSites: readonly SiteComparison[];
  /** The two models' outputs on random inputs. */
  readonly comparison: OutputComparison;
}

/**
 * Puts other attention into a model, and compares each site and the outputs.
 * @throws USAGE, UNSUPPORTED; WORKER_FAILED where a new attention is wrong
 */
export async function checkedSwap(
  { file, runner, sites }: LoadedModel,
  replacements: ReadonlyMap<number, Replacement>,
  { seed, dimensions }: { readonly seed: number; readonly dimensions: DimensionSizes | undefined },
): Promise<CheckedSwap> {
  const swapped = swapSites(sites, { ...runner, replacements, seed });
  await requireAsRead({ proto: file.proto, file, runner, sites, dimensions });
  await requireAsRead({ proto: swapped, isNew: true, file, runner, sites, dimensions });
  const replaced = [...replacements.keys()].map((number) => sites.swappable.get(number)!);
  const comparison = await compareOutputs(file, { sites, swapped, replaced }, runner, dimensions);
  const atSites = await compareSites(file, { sites, swapped, replacements, seed }, runner, dimensions);
  await requireCache(swapped, await findCache(sites, file, runner, dimensions), file, runner);
  refuseWrong(file.path, atSites);
  refuseInexact(file.path, { sites, replacements, comparison });
  const changes = replaced.map(({ site }) => changeOf(site, replacements.get(site.site)!));
  return { swapped, changes, atSites, comparison };
}

export function changeOf(site: Site, replacement: Replacement): SiteChange {
  return {
    site: site.site,
    node: site.node,
    body: site.body ?? null,
    variant: nameOf(replacement),
    window: site.window ?? null,
    exact: seesAll(site, replacement),
    provenLength: site.provenLength ?? null,
    assumed: site.assumed ?? null,
  };
}

function nameOf({ variant, kernel, parameters }: Replacement): string {
  return formatVariant({ variant, kernel, parameters });
}

interface Proving {
  readonly sites: ModelSites;
  readonly swapped: ModelProto;
  readonly file: OnnxFile;
}

/** Proves the model before it is written, and what was written once more; a file that fails is taken back. */
export async function writeProven(out: string, { sites, swapped, file }: Proving): Promise<SwapProof> {
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
export function refuseWrong(path: string, atSites: readonly SiteComparison[]): void {
  const wrong = atSites.find(({ reason }) => reason !== undefined);
  if (wrong === undefined) return;
  throw new AttnswapError(
    'WORKER_FAILED',
    `${path}: the new attention at site ${wrong.site} fails its check: ${wrong.reason}; nothing was written`,
    {
      hint: 'please report this model: attnswap sites MODEL --json',
    },
  );
}

interface Compared {
  readonly sites: Exactable;
  readonly replacements: ReadonlyMap<number, Replacement>;
  readonly comparison: OutputComparison;
}

/**
 * Attention that sees the same keys as the old must give the same outputs, but for rounding. A model that quantizes is judged at its sites alone, as no
 * bound on its outputs follows from rounding. Queries that see no key were left out of the comparison.
 */
export function refuseInexact(path: string, { sites, replacements, comparison: { largest } }: Compared): void {
  const exactness = exactnessOf(sites, { replacements });
  if (exactness === null || exactness.exception === 'quantized' || largest <= exactness.tolerance) return;
  const message = `${path}: attention to the same keys changed the outputs by ${digits(largest)} of their size, expected at most ${exactness.tolerance.toExponential()}; nothing was written`;
  throw new AttnswapError('WORKER_FAILED', message, { hint: 'please report this model: attnswap sites MODEL --json' });
}
