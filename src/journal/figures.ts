import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { readJson, writeJson } from '../files/json.ts';
import { checksumOf } from './check-steps.ts';

const figureSchemaName = 'attnswap.figure/1';
const figureSchema = z.object({
  schema: z.literal(figureSchemaName),
  /** All that it depends on. */
  of: z.unknown(),
  measuredAt: z.iso.datetime(),
  value: z.unknown(),
  checksum: z.string(),
});

/** Days after which a figure is measured anew, and its file goes: by then a host is no longer what it was, whatever its description says. */
const keptDays = 30;

/** What was measured earlier, elsewhere. */
export class Reused<Value> {
  readonly value: Value;
  readonly measuredAt: string;

  constructor(value: Value, measuredAt: string) {
    this.value = value;
    this.measuredAt = measuredAt;
  }
}

export interface FiguresOptions {
  /** Everything but the request that a figure depends on: the host with its versions, and the code that measures. */
  readonly identity: object;
  /** Whether what is there is measured anew, and replaced. */
  readonly fresh: boolean;
}

/** Measured figures by all that they depend on, in a folder that several migrations share; what cannot be read or written there costs time only. */
export class Figures {
  /** Keeps nothing: what is measured depends on what is not known. */
  static readonly none = new Figures(null, { identity: {}, fresh: true });
  readonly #folder: string | null;
  readonly #identity: object;
  readonly #fresh: boolean;

  private constructor(folder: string | null, { identity, fresh }: FiguresOptions) {
    this.#folder = folder;
    this.#identity = identity;
    this.#fresh = fresh;
  }

  /** Removes what is too old. */
  static async open(folder: string, options: FiguresOptions): Promise<Figures> {
    const oldest = Date.now() - keptDays * 86_400_000;
    for (const name of await readdir(folder).catch(() => [])) {
      const path = join(folder, name);
      const age = await stat(path).catch(() => undefined);
      if (age !== undefined && age.mtimeMs < oldest) await rm(path, { force: true }).catch(() => undefined);
    }
    return new Figures(folder, options);
  }

  /**
   * What was measured for the same request on the same host, by the same code; else what `measure` gives. What does not fit `schema` is neither kept nor reused.
   * @param request plain JSON: whatever decides the figure, files by their content
   */
  async measured<Value>(request: object, schema: z.ZodType, measure: () => Promise<Value>): Promise<Value | Reused<Value>> {
    if (this.#folder === null) return measure();
    const of = { ...this.#identity, ...request };
    const path = join(this.#folder, `${sha256(JSON.stringify(of))}.json`);
    const kept = this.#fresh ? undefined : await readFigure(path, of).catch(() => undefined);
    if (kept !== undefined && schema.safeParse(kept.value).success) return new Reused(kept.value as Value, kept.measuredAt);
    const value = await measure();
    if (!schema.safeParse(value).success) return value;
    const figure = { schema: figureSchemaName, of, measuredAt: new Date().toISOString(), value };
    await writeJson(path, { ...figure, checksum: checksumOf(figure.measuredAt, [of, value]) }).catch(() => undefined);
    return value;
  }
}

async function readFigure(path: string, of: object) {
  const { value, measuredAt, checksum } = figureSchema.parse(await readJson(path, 'INVALID_MIGRATION'));
  const isOld = Date.now() - Date.parse(measuredAt) > keptDays * 86_400_000;
  return isOld || checksum !== checksumOf(measuredAt, [of, value]) ? undefined : { value, measuredAt };
}

/** SHA-256 of a file of any size. */
export async function fileDigest(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of createReadStream(path)) hash.update(part as Buffer);
  return hash.digest('hex');
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
