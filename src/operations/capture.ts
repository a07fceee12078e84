import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Item } from '../contract/data.ts';
import { AttnswapError } from '../contract/errors.ts';
import { writeInputs } from '../inputs/captured.ts';
import { parseSites } from '../migration/parse-replacements.ts';
import { doesNotRun } from '../migration/original-outputs.ts';
import { captureHosted } from '../model/hosted/capture-hosted.ts';
import { swappableOf } from '../model/hosted/find-hosted-sites.ts';
import { isHostedModel } from '../model/hosted/model-path.ts';
import { captureFault, openForCapture } from '../model/swap/capture.ts';
import type { CapturedCall, CapturingModel } from '../model/swap/capture.ts';
import { hostedData, itemsFor, itemsFrom } from './model-data.ts';
import type { DataOptions } from './data-options.ts';
import { usingHosted } from './open-hosted.ts';
import { loadModel } from './open-model.ts';
import type { ModelOptions } from './open-model.ts';
import { systemReason } from '../files/system-reason.ts';

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

/** What is captured from. */
interface Source {
  /** Of the model. */
  readonly sha256: string;
  /** The sites that can be captured. */
  readonly swappable: readonly number[];
  items(): Promise<readonly Item[]>;
  open(sites: readonly number[]): Promise<Pick<CapturingModel, 'capture' | 'dispose'>>;
}

/**
 * Writes the queries, keys and values of sites on real input, one safetensors file a site and item.
 * @throws USAGE, INVALID_MODEL, INVALID_DATA, FILE_UNWRITABLE; of a model of PyTorch also UNSUPPORTED, WORKER_FAILED
 */
export async function capture(options: CaptureOptions): Promise<CaptureRecord> {
  if (await isHostedModel(options.model))
    return usingHosted(options, ({ sha256, sites, model }) =>
      captureFrom(options, {
        sha256,
        swappable: swappableOf(sites),
        items: async () => itemsFrom(await hostedData(model, options), options, 1),
        open: async (numbers) => ({ capture: (feeds) => captureHosted(model, sites, numbers, feeds), dispose: async () => undefined }),
      }),
    );
  const loaded = await loadModel(options);
  const { file, runner, sites } = loaded;
  return captureFrom(options, {
    sha256: file.sha256,
    swappable: [...sites.swappable.keys()],
    items: () => itemsFor(loaded, options, 1),
    open: (numbers) =>
      openForCapture(
        sites,
        numbers.map((number) => sites.swappable.get(number)!),
        file,
        runner,
      ),
  });
}

async function captureFrom(options: CaptureOptions, source: Source): Promise<CaptureRecord> {
  const { model: path, out, signal } = options;
  const numbers = options.sites === undefined ? source.swappable : parseSites(options.sites);
  const missing = numbers.find((number) => !source.swappable.includes(number));
  if (missing !== undefined) throw new AttnswapError('USAGE', `site ${missing} cannot be captured`, { hint: `attnswap sites ${path}` });
  const items = await source.items();
  const model = await source.open(numbers);
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
        await writeInputs(file, inputs, { model: source.sha256, site: String(site), item: id });
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
