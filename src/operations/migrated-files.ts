import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { AttnswapError } from '../contract/errors.ts';
import type { ModelFiles } from '../migration/graph.ts';
import { writeOnnxFile } from '../model/file/onnx-file.ts';
import { defaults } from './defaults.ts';
import type { LoadedModel, ModelOptions } from './open-model.ts';
import { loadParts, sitesOfParts } from './parts.ts';
import type { LoadedPart } from './parts.ts';
import { checkParts, writeParts } from './swap-folder.ts';

/** A graph as a migration measures it. */
export interface MigratedGraph extends LoadedModel {
  /** Absent where one file holds it. */
  readonly files?: ModelFiles;
  /** SHA-256 of its files, by path, where there are several. */
  readonly digests: Readonly<Record<string, string>>;
}

/**
 * The files of an encoder–decoder model beside the one that it is measured as, which is written into the folder of the migration; only
 * sites that every file can swap are left to it. A model of one file comes back as it is.
 * @throws as {@link loadParts}; FILE_UNWRITABLE
 */
export async function openFiles(
  loaded: LoadedModel,
  folder: string,
  options: ModelOptions & { readonly seed?: number | undefined },
): Promise<MigratedGraph> {
  if (loaded.parts === undefined) return { ...loaded, digests: {} };
  const parts = await loadParts(options, loaded.parts, true);
  const path = join(folder, 'models', 'original.onnx');
  await mkdir(join(folder, 'models'), { recursive: true });
  await writeOnnxFile(path, loaded.file.proto, loaded.file);
  const everywhere = new Map(sitesOfParts(parts).map((site) => [site.site, site]));
  const { sites } = loaded;
  const reasons = sites.sites.map((site) => (site.swappable ? everywhere.get(site.site)?.reason : undefined));
  const told = sites.sites.map((site, at) => (reasons[at] === undefined ? site : { ...site, swappable: false, reason: reasons[at] }));
  const swappable = new Map([...sites.swappable].filter(([number]) => reasons[number] === undefined));
  return {
    ...loaded,
    file: { ...loaded.file, path },
    sites: { ...sites, sites: told, swappable },
    files: filesOf(parts, options),
    digests: Object.fromEntries(parts.map(({ file }) => [file.path, file.sha256])),
  };
}

function filesOf(
  parts: readonly LoadedPart[],
  { seed = defaults.seed, dimensions }: Pick<ModelOptions, 'dimensions'> & { readonly seed?: number | undefined },
): ModelFiles {
  const check: typeof checkParts = (...args) =>
    checkParts(...args).catch((error: unknown) => {
      // What is wrong with a candidate ends the candidate, not the migration.
      if (!(error instanceof AttnswapError) || error.code !== 'WORKER_FAILED') throw error;
      throw new AttnswapError('UNSUPPORTED', error.message, { cause: error });
    });
  const settings = { seed, dimensions };
  return {
    check: async (replacements) => void (await check(parts, replacements, settings)),
    write: async (replacements, folder) => void (await writeParts(folder, parts, await check(parts, replacements, settings))),
  };
}
