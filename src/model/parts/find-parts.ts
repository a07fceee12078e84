import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { AttnswapError } from '../../contract/errors.ts';
import { isFolder } from '../../files/writable.ts';
import { systemReason } from '../../files/system-reason.ts';

/** The files of an encoder–decoder model, as Optimum and transformers.js name them. */
export interface PartPaths {
  readonly encoder: string;
  /** What decodes without a past: `decoder_model`, else `decoder_model_merged`. */
  readonly decoder: string;
  /** Further forms of the same decoder: with a past, merged. */
  readonly again: readonly string[];
}

/** The paths in the order in which sites are numbered. */
export function pathsOf({ encoder, decoder, again }: PartPaths): readonly string[] {
  return [encoder, decoder, ...again];
}

const partName = /^(?<kind>encoder|decoder_with_past|decoder)(?:_model)?(?<merged>_merged)?(?<suffix>_\w+)?\.onnx$/;

interface Named {
  readonly file: string;
  readonly kind: 'encoder' | 'decoder' | 'merged' | 'decoder_with_past';
}

/**
 * The encoder and the decoder that lie in a folder; undefined for a file, and where there are none. Of several precisions (`_quantized`, `_fp16`) the plain
 * files count.
 * @throws FILE_UNREADABLE; USAGE where only several precisions are there
 */
export async function partsAt(folder: string): Promise<PartPaths | undefined> {
  if (!(await isFolder(folder))) return undefined;
  const files = await readdir(folder).catch((cause: unknown) => {
    throw new AttnswapError('FILE_UNREADABLE', `${folder}: cannot be read: ${systemReason(cause)}`, { cause });
  });
  const bySuffix = Map.groupBy(files.toSorted().flatMap(nameOf), ({ suffix }) => suffix);
  const complete = [...bySuffix].flatMap(([suffix, named]) => {
    const paths = completeAmong(folder, named);
    return paths === undefined ? [] : [{ suffix, paths }];
  });
  const plain = complete.find(({ suffix }) => suffix === '') ?? complete[0];
  if (plain === undefined || plain.suffix === '' || complete.length === 1) return plain?.paths;
  const names = complete.map(({ suffix }) => `encoder_model${suffix}.onnx`).join(', ');
  throw new AttnswapError('USAGE', `${folder}: contains ${complete.length} encoder–decoder models (${names}), expected one`, {
    hint: 'put the files of one of them into a folder of its own',
  });
}

function nameOf(file: string): Array<Named & { suffix: string }> {
  const groups = partName.exec(file)?.groups;
  if (groups === undefined) return [];
  const kind = groups['merged'] === undefined ? (groups['kind'] as Named['kind']) : 'merged';
  return [{ file, kind, suffix: groups['suffix'] ?? '' }];
}

function completeAmong(folder: string, named: readonly Named[]): PartPaths | undefined {
  const path = (kind: Named['kind']) => named.find((each) => each.kind === kind)?.file;
  const [encoder, plain, merged, cached] = [path('encoder'), path('decoder'), path('merged'), path('decoder_with_past')];
  const decoder = plain ?? merged;
  if (encoder === undefined || decoder === undefined) return undefined;
  const again = [cached, merged].filter((file) => file !== undefined && file !== decoder) as string[];
  return { encoder: join(folder, encoder), decoder: join(folder, decoder), again: again.map((file) => join(folder, file)) };
}
