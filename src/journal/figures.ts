import { createHash } from 'node:crypto';
import { lstat, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { fileDigest } from '../files/digest.ts';
import { readJson } from '../files/json.ts';
import { writeWhole } from '../files/whole-file.ts';
import { checksumOf } from './check-steps.ts';

const figureSchemaName = 'attnswap.figure/1';
const figureSchema = z.object({
  schema: z.literal(figureSchemaName),
  /** SHA-256 of all that it depends on; the file is called so, too. */
  of: z.string(),
  measuredAt: z.iso.datetime(),
  value: z.unknown(),
  checksum: z.string(),
});
const ownName = /^[0-9a-f]{64}\.json$/;

/** Days after which a figure is measured anew, and its file goes: by then a host is no longer what it was, whatever its description says. */
const keptDays = 30;
/** Of a figure's file: a comparison of many blocks is tens of KB. */
const mostBytes = 2 ** 20;

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
  /** Whether what is measured is kept: not what a busy host gives. */
  readonly keeps: boolean;
}

/** What is measured: whatever decides the figure. */
export interface FigureRequest<Value> {
  /** Plain JSON. */
  readonly of: object;
  /** Files that decide it by their content; asked for where figures are kept. */
  files(): Promise<readonly string[]>;
  /** What a figure is: anything else is neither kept nor reused. */
  readonly schema: z.ZodType<Value>;
}

/** Measured figures by all that they depend on, in a folder that several migrations share; what cannot be read or written there costs time only. */
export class Figures {
  /** Keeps nothing: what is measured depends on what is not known. */
  static readonly none = new Figures(null, { identity: {}, fresh: true, keeps: false });
  readonly #folder: string | null;
  readonly #options: FiguresOptions;
  /** Digests of files, with what they looked like. */
  readonly #digests = new Map<string, { readonly look: string; readonly digest: string }>();

  private constructor(folder: string | null, options: FiguresOptions) {
    this.#folder = folder;
    this.#options = options;
  }

  /** Removes figures that are too old, and nothing else; a link to a folder is not used. */
  static async open(folder: string, options: FiguresOptions): Promise<Figures> {
    const found = await lstat(folder).catch(() => undefined);
    if (found?.isSymbolicLink() === true) return Figures.none;
    const oldest = Date.now() - keptDays * 86_400_000;
    for (const name of (await readdir(folder).catch(() => [])).filter((each) => ownName.test(each))) {
      const path = join(folder, name);
      const age = await lstat(path).catch(() => undefined);
      if (age?.isFile() === true && age.mtimeMs < oldest) await rm(path, { force: true }).catch(() => undefined);
    }
    return new Figures(folder, options);
  }

  /** What was measured for the same request on the same host, by the same code; else what `measure` gives, kept unless a file changed meanwhile. */
  async measured<Value>(request: FigureRequest<Value>, measure: () => Promise<Value>): Promise<Value | Reused<Value>> {
    if (this.#folder === null) return measure();
    const files = await request.files().catch(() => undefined);
    if (files === undefined) return measure();
    const before = await looksOf(files);
    const of = await this.#keyOf(request.of, files).catch(() => undefined);
    if (of === undefined) return measure();
    const { fresh, keeps } = this.#options;
    const path = join(this.#folder, `${of}.json`);
    const kept = fresh ? undefined : await readFigure(path, of, request.schema).catch(() => undefined);
    if (kept !== undefined) return kept;
    const value = await measure();
    if (!keeps || !request.schema.safeParse(value).success || (await looksOf(files)) !== before) return value;
    const figure = { schema: figureSchemaName, of, measuredAt: new Date().toISOString(), value };
    const text = JSON.stringify({ ...figure, checksum: checksumOf(figure.measuredAt, [of, value]) });
    if (text.length <= mostBytes) await writeWhole(path, text).catch(() => undefined);
    return value;
  }

  async #keyOf(of: object, files: readonly string[]): Promise<string> {
    const digests: string[] = [];
    for (const file of files) digests.push(await this.#digestOf(file));
    return createHash('sha256')
      .update(JSON.stringify([this.#options.identity, of, digests]))
      .digest('hex');
  }

  /** Once a file, as long as it looks the same. A file that was put in its place is another, whatever it holds. */
  async #digestOf(path: string): Promise<string> {
    const look = await lookOf(path);
    const known = this.#digests.get(path);
    if (known?.look === look) return known.digest;
    const digest = await fileDigest(path);
    this.#digests.set(path, { look, digest });
    return digest;
  }
}

async function lookOf(path: string): Promise<string> {
  const { dev, ino, size, mtimeNs } = await stat(path, { bigint: true });
  return [dev, ino, size, mtimeNs].join();
}

async function looksOf(files: readonly string[]): Promise<string> {
  return String(await Promise.all(files.map((file) => lookOf(file).catch(() => null))));
}

async function readFigure<Value>(path: string, of: string, schema: z.ZodType<Value>): Promise<Reused<Value> | undefined> {
  const found = await lstat(path);
  if (!found.isFile() || found.size > mostBytes) return undefined;
  const { of: stored, value, measuredAt, checksum } = figureSchema.parse(await readJson(path, 'INVALID_MIGRATION'));
  const age = Date.now() - Date.parse(measuredAt);
  const isOwn = stored === of && checksum === checksumOf(measuredAt, [of, value]);
  return isOwn && age >= 0 && age <= keptDays * 86_400_000 ? new Reused(schema.parse(value), measuredAt) : undefined;
}
