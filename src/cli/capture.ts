import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { AdapterEntry } from '../contract/adapter.ts';
import type { Item } from '../contract/data.ts';
import { AttnswapError } from '../contract/errors.ts';
import { areTensorFiles, loadData } from '../data/data-module.ts';
import { writeInputs } from '../inputs/captured.ts';
import { parseSites } from '../migration/parse-replacements.ts';
import { doesNotRun } from '../migration/quality-of.ts';
import { captureFault, openForCapture } from '../model/capture.ts';
import type { CapturedCall } from '../model/capture.ts';
import { openProto } from '../model/open-proto.ts';
import type { LoadedModel, ModelFlags } from './sites.ts';
import { loadModel } from './sites.ts';
import { exitCodes, print, printJson, suggest } from './console.ts';
import type { ExitCode } from './console.ts';

/** Where a command's inputs come from. */
export interface DataFlags {
  readonly data: readonly string[];
  readonly tokenizer?: string;
  /** Absent: those that tensor files have; else 128, 256 and 512 tokens. */
  readonly lengths?: readonly number[];
  /** Of each length; absent: all tensor files; else as many as the command takes. */
  readonly items?: number;
  readonly seed: number;
}

export interface CaptureFlags extends ModelFlags, DataFlags {
  readonly site?: string;
  readonly out: string;
}

/** The items that a model's data give, as the model wants them. @throws INVALID_DATA */
export async function loadItems({ file, runner, sites }: LoadedModel, flags: DataFlags, usual: number): Promise<readonly Item[]> {
  const model = await openProto(sites.proto, file, runner);
  await model.dispose();
  const data = await loadData(flags.data, { inputs: model.inputs, ...(flags.tokenizer !== undefined && { tokenizer: flags.tokenizer }) });
  const tensors = areTensorFiles(flags.data);
  const lengths = flags.lengths ?? (tensors ? [] : usualLengths);
  return data.items({ lengths, itemsPerLength: flags.items ?? (tensors ? flags.data.length : usual), seed: flags.seed });
}

/** Tokens, where nothing says how many. */
export const usualLengths = [128, 256, 512] as const;

/** Writes the queries, keys and values of sites on real input, one safetensors file a site and item. */
export async function capture(path: string, flags: CaptureFlags, adapters: readonly AdapterEntry[]): Promise<ExitCode> {
  const loaded = await loadModel(path, flags, adapters);
  const { swappable } = loaded.sites;
  const numbers = flags.site === undefined ? [...swappable.keys()] : parseSites(flags.site);
  const wanted = numbers.map((number) => {
    const site = swappable.get(number);
    if (site === undefined) throw new AttnswapError('USAGE', `site ${number} cannot be captured`, { hint: `attnswap sites ${path}` });
    return site;
  });
  const items = await loadItems(loaded, flags, 1);
  const model = await openForCapture(loaded.sites, wanted, loaded.file, loaded.runner);
  const files: string[] = [];
  try {
    for (const [place, { id, feeds }] of items.entries()) {
      const calls = await model.capture(feeds).catch((error: unknown) => {
        throw doesNotRun(id, error);
      });
      requireFaithful(calls, id);
      for (const [site, inputs] of calls) {
        await makeFolder(flags.out);
        const file = join(flags.out, `site${site}-item${place}.safetensors`);
        await writeInputs(file, inputs, { model: loaded.file.sha256, site: String(site), item: id });
        files.push(file);
      }
    }
  } finally {
    await model.dispose();
  }
  if (flags.json === true) printJson({ files });
  else print(files.join('\n'));
  suggest(['waste', '--inputs', files[0]!], flags);
  return exitCodes.pass;
}

/** Nothing of an item is written where a file could not say what its site did. @throws UNSUPPORTED */
function requireFaithful(calls: ReadonlyMap<number, CapturedCall>, item: string): void {
  for (const [site, call] of calls) {
    const fault = captureFault(call);
    if (fault === undefined) continue;
    throw new AttnswapError('UNSUPPORTED', `site ${site} cannot be captured on item ${item}: ${fault}`, {
      hint: '--site with others, or --data without what this site masks',
    });
  }
}

/** @throws FILE_UNWRITABLE */
async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true }).catch((cause: unknown) => {
    throw new AttnswapError('FILE_UNWRITABLE', `${path}: is no folder, and none can be made there: ${(cause as Error).message}`, {
      hint: '--out with another folder',
      cause,
    });
  });
}
