import { extname } from 'node:path';
import type { ModelInput } from '../contract/adapter.ts';
import type { DataModule } from '../contract/data.ts';
import { invalidData } from './check-tensor.ts';
import { readText } from '../files/read-bytes.ts';
import { tensorFileData } from './tensor-items.ts';
import { tensorFileEndings } from './tensor-files.ts';
import { textItems } from './text.ts';
import { openTokenizer } from './tokenizer.ts';
import { loadDataModule } from './user-module.ts';

export interface LoadOptions {
  /** The inputs that the model declares. A data module needs none. */
  readonly inputs: readonly ModelInput[];
  /** Path of the tokenizer.json, for text. */
  readonly tokenizer?: string | undefined;
  /** Name of the model's dynamic dimension that is the sequence, for tensor files; the largest one where absent. */
  readonly dimension?: string;
}

const endings = `.ts, .js, .mjs, ${tensorFileEndings.join(', ')} or .txt`;
const textLimit = { bytes: 2 ** 25, hint: 'head -c 32M text.txt > shorter.txt' } as const;

/**
 * Data from wherever a user has it:
 * - a module (`.ts`, `.js`, `.mjs`, …) that exports what {@link DataModule} says; it runs as code,
 * - one or several tensor files, each an item that holds all inputs of one call; an item's length is the size of the dynamic
 *   dimension `dimension`, or the largest of the model's dynamic dimensions, which a wide picture or a big batch can mislead,
 * - a text (`.txt`) with a tokenizer: passages of any length.
 * Only a module has a task metric.
 * @throws FILE_UNREADABLE, INVALID_SAFETENSORS, INVALID_DATA
 */
export async function loadData(source: string | readonly string[], options: LoadOptions): Promise<DataModule> {
  const paths = typeof source === 'string' ? [source] : source;
  const kinds = new Set(paths.map(kindOf));
  const [path] = paths;
  if (path === undefined || kinds.size !== 1)
    throw invalidData('data', `got ${paths.length} files of ${kinds.size} kinds, expected one kind`);
  if (kinds.has('tensors')) return tensorFileData(paths, options.inputs, options.dimension);
  if (paths.length > 1) throw invalidData('data', `got ${paths.length} files, expected one module or one text`);
  return kinds.has('module') ? loadDataModule(path) : textData(path, options);
}

/** Whether data are tensor files, which have the lengths that they have. @throws INVALID_DATA for a file of no known kind */
export function areTensorFiles(paths: readonly string[]): boolean {
  return paths.every((path) => kindOf(path) === 'tensors');
}

function kindOf(path: string): 'module' | 'tensors' | 'text' {
  const ending = extname(path).toLowerCase();
  if (/^\.[cm]?[jt]s$/.test(ending)) return 'module';
  if ((tensorFileEndings as readonly string[]).includes(ending)) return 'tensors';
  if (ending === '.txt') return 'text';
  throw invalidData(path, `ends in ${JSON.stringify(ending)}, expected ${endings}`);
}

async function textData(path: string, { tokenizer: tokenizerPath, inputs }: LoadOptions): Promise<DataModule> {
  if (tokenizerPath === undefined)
    throw invalidData(path, 'is text, but no tokenizer was given', { hint: "add --tokenizer with the model's tokenizer.json" });
  const tokenizer = await openTokenizer(tokenizerPath);
  const text = await readText(path, textLimit);
  return { items: async (request) => textItems({ text, tokenizer, inputs, ...request }), textOf: (ids) => tokenizer.decode(ids) };
}
