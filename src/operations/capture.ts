import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { AttnswapError } from '../contract/errors.ts';
import { writeInputs } from '../inputs/captured.ts';
import { parseSites } from '../migration/parse-replacements.ts';
import { doesNotRun } from '../migration/original-outputs.ts';
import { captureFault } from '../model/swap/capture.ts';
import type { CapturedCall } from '../model/swap/capture.ts';
import { systemReason } from '../files/system-reason.ts';
import type { DataOptions } from './data-options.ts';
import { usingFound } from './found-model.ts';
import type { FoundModel } from './found-model.ts';
import { itemsFrom } from './model-data.ts';
import type { ModelOptions } from './open-model.ts';

export interface CaptureOptions extends ModelOptions, DataOptions {
  /** Sites to capture, such as `0,2-3`. @default all that can be swapped */
  readonly sites?: string | undefined;
  /** Items per length. @default all tensor files, else 1 */
  readonly items?: number | undefined;
  /** Output folder, created if missing. */
  readonly out: string;
}

export interface CaptureRecord {
  /** One per site and item. */
  readonly files: readonly string[];
}

/**
 * Writes the queries, keys and values of sites on real input, one safetensors file a site and item.
 * @throws USAGE, INVALID_MODEL, INVALID_DATA, FILE_UNWRITABLE; of a model of PyTorch also UNSUPPORTED, WORKER_FAILED
 */
export async function capture(options: CaptureOptions): Promise<CaptureRecord> {
  return usingFound(options, (found) => captureFound(options, found));
}

/** The same of a model whose attention was found. */
export async function captureFound(options: CaptureOptions, found: FoundModel): Promise<CaptureRecord> {
  const { model: path, out, signal } = options;
  const { swappable } = found.sites;
  const numbers = options.sites === undefined ? [...swappable.keys()] : parseSites(options.sites);
  const missing = numbers.find((number) => !swappable.has(number));
  if (missing !== undefined) throw new AttnswapError('USAGE', `site ${missing} cannot be captured`, { hint: `attnswap sites ${path}` });
  const items = await itemsFrom(await found.data(), options, 1);
  const model = await found.capturing(numbers);
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
        await writeInputs(file, inputs, { model: found.sha256, site: String(site), item: id });
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
    throw new AttnswapError('FILE_UNWRITABLE', `${path}: is not a folder and cannot be created: ${systemReason(cause)}`, {
      hint: 'choose another folder with --out',
      cause,
    });
  });
}
