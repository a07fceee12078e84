import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { AttnswapError } from '../contract/errors.ts';
import { requireWritableFolder } from '../files/writable.ts';
import { swapOnItems } from '../migration/swap-on-items.ts';
import type { SwapOnItems } from '../migration/swap-on-items.ts';
import { parseReplacements, parseSites, replacementsAnywhere } from '../migration/parse-replacements.ts';
import { partsAt, pathsOf } from '../model/parts/find-parts.ts';
import { joinFiles } from '../model/parts/read-joined.ts';
import { writeOnnxFile } from '../model/file/onnx-file.ts';
import { capWarnings } from '../model/swap/soft-caps.ts';
import type { Replacement } from '../model/swap/swap.ts';
import { refuseWithoutData } from './data-options.ts';
import { checkedSwap, writeProven } from './checked-swap.ts';
import type { CheckedSwap } from './checked-swap.ts';
import { defaults } from './defaults.ts';
import { itemsFor } from './model-data.ts';
import { loadParts, ownReplacements, sitesOfParts } from './parts.ts';
import type { LoadedPart } from './parts.ts';
import { passedOverOf, recordOf, refuseOnData, requireOtherFile } from './swap.ts';
import type { FileRecord, SwapOptions, SwapRecord } from './swap.ts';

/** A swap in the files of an encoder–decoder model. */
export interface FolderSwapRecord {
  /** Folder with the new files. */
  readonly out: string;
  /** One per file; sites are numbered through the whole model. */
  readonly files: readonly FileRecord[];
  readonly passedOver: SwapRecord['passedOver'];
  readonly warnings: SwapRecord['warnings'];
  /** The outputs of both models end to end, on your items; null without data. */
  readonly onData: SwapOnItems | null;
}

/**
 * Writes the files of an encoder–decoder model with other attention at the chosen sites, side by side: `model` and `out` are folders.
 * Every file is checked before the first is written.
 * @throws as {@link swap}; USAGE where the folder holds no encoder and decoder
 */
export async function swapFolder(options: SwapOptions): Promise<FolderSwapRecord> {
  const { model: folder, out, seed = defaults.seed, dimensions } = options;
  refuseWithoutData(options);
  const paths = await partsAt(folder);
  if (paths === undefined)
    throw new AttnswapError('USAGE', `${folder}: expected encoder_model.onnx and decoder_model.onnx in it`, {
      hint: 'name the .onnx file itself',
    });
  for (const path of pathsOf(paths)) await requireOtherFile(path, join(out, basename(path)));
  const parts = await loadParts(options, paths);
  const { adapter } = parts[0]!.runner;
  const sites = sitesOfParts(parts);
  const replacements =
    options.sites === undefined
      ? replacementsAnywhere(options.variants, sites, adapter)
      : parseReplacements(options.variants, parseSites(options.sites), adapter);
  requireSites(folder, sites.length, replacements);
  options.onProgress?.({ what: 'comparing both models' });
  const checked = await checkParts(parts, replacements, { seed, dimensions });
  const onData = await compareOnData(options, { parts, checked, replacements, seed });
  refuseOnData(folder, onData);
  const files = await writeParts(out, parts, checked);
  const warnings = capWarnings(sites, replacements, adapter);
  return { out, files, passedOver: passedOverOf(options, sites, replacements), warnings, onData };
}

function requireSites(folder: string, count: number, replacements: ReadonlyMap<number, Replacement>): void {
  const hint = `attnswap sites ${folder} lists the sites`;
  if (replacements.size === 0) throw new AttnswapError('UNSUPPORTED', `${folder}: no site can be swapped`, { hint });
  const wrong = [...replacements.keys()].find((number) => number >= count);
  if (wrong !== undefined) throw new AttnswapError('USAGE', `there is no site ${wrong}: the model has ${count} sites`, { hint });
}

type Settings = Parameters<typeof checkedSwap>[2];

/** Every file with its new attention, checked; undefined for a file that has none. @throws as {@link checkedSwap} */
export async function checkParts(
  parts: readonly LoadedPart[],
  replacements: ReadonlyMap<number, Replacement>,
  settings: Settings,
): Promise<ReadonlyArray<CheckedSwap | undefined>> {
  const checked: Array<CheckedSwap | undefined> = [];
  for (const part of parts) {
    const own = ownReplacements(part, replacements);
    checked.push(own.size === 0 ? undefined : await checkedSwap(part, own, settings));
  }
  return checked;
}

/** Writes every file into a folder under its own name; where one fails, none stays. @returns what was done to each that has new attention */
export async function writeParts(
  folder: string,
  parts: readonly LoadedPart[],
  checked: ReadonlyArray<CheckedSwap | undefined>,
): Promise<FileRecord[]> {
  await requireWritableFolder(folder);
  const records: FileRecord[] = [];
  const written: string[] = [];
  try {
    for (const [at, part] of parts.entries()) {
      const out = join(folder, basename(part.file.path));
      const swap = checked[at];
      written.push(out);
      if (swap === undefined) {
        await writeOnnxFile(out, part.file.proto, part.file);
        continue;
      }
      const proof = await writeProven(out, { sites: part.sites, swapped: swap.swapped, file: part.file });
      const numbered = <Each extends { readonly site: number }>(each: Each): Each => ({ ...each, site: part.numbers[each.site]! });
      const record = recordOf(out, part, { checked: swap, proof });
      records.push({ ...record, changes: record.changes.map(numbered), atSites: record.atSites.map(numbered) });
    }
  } catch (error) {
    for (const path of written) await rm(path, { force: true });
    throw error;
  }
  return records;
}

interface OnData {
  readonly parts: readonly LoadedPart[];
  readonly checked: ReadonlyArray<CheckedSwap | undefined>;
  readonly replacements: ReadonlyMap<number, Replacement>;
  readonly seed: number;
}

/** Both models, each joined from its encoder and decoder, on every item. */
async function compareOnData(
  { data, model, ...options }: SwapOptions,
  { parts, checked, replacements, seed }: OnData,
): Promise<SwapOnItems | null> {
  if (data === undefined) return null;
  const [encoder, decoder] = parts;
  const file = joinFiles(model, encoder!.file, decoder!.file);
  const changed = [encoder!, decoder!].map(({ sites }, at) => checked[at]?.swapped ?? sites.proto);
  const swapped = joinFiles(model, encoder!.file, decoder!.file, changed).proto;
  const joined = { file, runner: encoder!.runner, sites: { proto: file.proto, sites: sitesOfParts(parts) } };
  const items = await itemsFor(joined, { ...options, data }, defaults.items);
  return swapOnItems({ ...joined, swapped, replacements, seed }, items);
}
