import { dirname, relative, resolve } from 'node:path';
import { z } from 'zod';
import type { PlacedAttentions } from '../contract/model-attention.ts';
import { readJson, writeJson } from '../files/json.ts';
import { recordReader } from '../files/read-record.ts';

export const swapFileEnding = '.swap.json';
const schemaName = 'attnswap.swap/1';

const text = z.string().max(1000);
const schema = z.object({
  schema: z.literal(schemaName),
  /** The original's path, from the folder of this file. */
  source: z.string().max(4096),
  placed: z.record(
    text,
    z.object({
      variant: text,
      kernel: text,
      parameters: z.record(text, z.union([z.number(), text])),
      scaleFactor: z.number().positive().optional(),
      causal: z.boolean().optional(),
    }),
  ),
  /** Path of trained parts, from the folder of this file. */
  adapters: z.string().max(4096).optional(),
});

/** A worker's model with other attention: which model, and what stands at which of its modules. */
export interface SwappedModel {
  readonly source: string;
  readonly placed: PlacedAttentions;
  /** Path of trained parts of linear maps. */
  readonly adapters?: string | undefined;
}

const parse = recordReader(schema, { code: 'INVALID_MODEL', hint: `expected a document with schema ${schemaName}` });

/** Whether a path is meant as that of a swap. */
export function isSwapFile(path: string): boolean {
  return path.endsWith(swapFileEnding);
}

/** The model that a path means: its own, or that of the swap. @throws FILE_UNREADABLE, INVALID_MODEL */
export async function sourceOf(path: string): Promise<string> {
  return isSwapFile(path) ? (await readSwapFile(path)).source : resolve(path);
}

/** @throws FILE_UNREADABLE, INVALID_MODEL */
export async function readSwapFile(path: string): Promise<SwappedModel> {
  const { source, placed, adapters } = parse(await readJson(path, 'INVALID_MODEL'), path);
  const from = (file: string) => resolve(dirname(path), file);
  return { source: from(source), placed, adapters: adapters && from(adapters) };
}

/** @throws FILE_UNWRITABLE */
export async function writeSwapFile(path: string, { source, placed, adapters }: SwappedModel): Promise<void> {
  const to = (file: string) => relative(resolve(dirname(path)), resolve(file));
  await writeJson(path, { schema: schemaName, source: to(source), placed, adapters: adapters && to(adapters) });
}
