import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { AttnswapError } from '../contract/errors.ts';
import { writeInputs } from '../inputs/captured.ts';
import { parseSites } from '../migration/parse-replacements.ts';
import { doesNotRun } from '../migration/original-outputs.ts';
import { captureFault, openForCapture } from '../model/swap/capture.ts';
import type { CapturedCall } from '../model/swap/capture.ts';
import { itemsFor } from './model-data.ts';
import type { DataOptions } from './data-options.ts';
import { loadModel } from './open-model.ts';
import type { ModelOptions } from './open-model.ts';

export interface CaptureOptions extends ModelOptions, DataOptions {
  /** Such as `0,2-3`. @default all that can be swapped */
  readonly sites?: string | undefined;
  /** Items of each length. @default all tensor files, else 1 */
  readonly items?: number | undefined;
  /** A folder; made where there is none. */
  readonly out: string;
}

export interface CaptureRecord {
  /** One a site and item. */
  readonly files: readonly string[];
}

/**
 * Writes the queries, keys and values of sites on real input, one safetensors file a site and item.
 * @throws USAGE, INVALID_MODEL, INVALID_DATA, FILE_UNWRITABLE
 */
export async function capture(options: CaptureOptions): Promise<CaptureRecord> {
  const { model: path, out, signal } = options;
  const loaded = await loadModel(options);
  const { swappable } = loaded.sites;
  const numbers = options.sites === undefined ? [...swappable.keys()] : parseSites(options.sites);
  const wanted = numbers.map((number) => {
    const site = swappable.get(number);
    if (site === undefined) throw new AttnswapError('USAGE', `site ${number} cannot be captured`, { hint: `attnswap sites ${path}` });
    return site;
  });
  const items = await itemsFor(loaded, options, 1);
  const model = await openForCapture(loaded.sites, wanted, loaded.file, loaded.runner);
  const files: string[] = [];
  try {
    for (const [place, { id, feeds }] of items.entries()) {
      if (signal?.aborted === true) throw new AttnswapError('INTERRUPTED', `interrupted; what was captured is in ${out}`);
      options.onProgress?.({ what: `item ${id}`, done: place, total: items.length });
      const calls = await model.capture(feeds).catch((error: unknown) => {
        throw doesNotRun(id, error);
      });
      requireFaithful(calls, id);
      for (const [site, inputs] of calls) {
        await makeFolder(out);
        const file = join(out, `site${site}-item${place}.safetensors`);
        await writeInputs(file, inputs, { model: loaded.file.sha256, site: String(site), item: id });
        files.push(file);
      }
    }
  } finally {
    await model.dispose();
  }
  return { files };
}

/** Nothing of an item is written where a file could not say what its site did. @throws UNSUPPORTED */
function requireFaithful(calls: ReadonlyMap<number, CapturedCall>, item: string): void {
  for (const [site, call] of calls) {
    const fault = captureFault(call);
    if (fault === undefined) continue;
    throw new AttnswapError('UNSUPPORTED', `site ${site} cannot be captured on item ${item}: ${fault}`, {
      hint: 'choose other sites with --site, or data that this site does not mask',
    });
  }
}

/** @throws FILE_UNWRITABLE */
async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true }).catch((cause: unknown) => {
    throw new AttnswapError('FILE_UNWRITABLE', `${path}: is not a folder and cannot be created: ${(cause as Error).message}`, {
      hint: 'choose another folder with --out',
      cause,
    });
  });
}
