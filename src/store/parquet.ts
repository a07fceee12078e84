import { open } from 'node:fs/promises';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { fileWriter, ParquetWriter, schemaFromColumnData } from 'hyparquet-writer';
import type { BasicType } from 'hyparquet-writer';
import { AttnswapError } from '../contract/errors.ts';
import { damagedFile, requireWhole } from './checksums.ts';
import type { Columns, ColumnType, Value } from './tables.ts';

const parquetTypes: Readonly<Record<ColumnType, BasicType>> = {
  text: 'STRING',
  number: 'DOUBLE',
  count: 'INT64',
  flag: 'BOOLEAN',
  time: 'TIMESTAMP',
  json: 'STRING',
};

/** Rows, and bytes of JSON, that are compressed and written together: a reader of one run takes such a group or two. */
const [mostRows, mostBytes] = [4096, 2 ** 25];

/** Zstandard at its fastest: a store's JSON repeats itself. */
const compression = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

/** Writes items as rows of one Parquet file, in groups, so that none but the last group is in memory. */
export class TableWriter<Item> {
  private readonly path: string;
  private readonly columns: ReadonlyArray<{ readonly name: string; readonly type: ColumnType; read(item: Item): Value; data: unknown[] }>;
  private readonly writer: ParquetWriter;
  private pendingRows = 0;
  private pendingBytes = 0;
  /** Rows so far. */
  count = 0;

  /** @throws what the system says where the file cannot be made */
  constructor(path: string, columns: Columns<Item>) {
    this.path = path;
    this.columns = Object.entries(columns).map(([name, [type, read]]) => ({ name, type, read, data: [] }));
    this.writer = new ParquetWriter({
      writer: fileWriter(path),
      schema: schemaFromColumnData({ columnData: this.columns.map(({ name, type }) => ({ name, type: parquetTypes[type], data: [] })) }),
      codec: 'ZSTD',
      compressors: { ZSTD: (input) => zstdCompressSync(input, compression) },
    });
  }

  async push(item: Item): Promise<void> {
    for (const { type, read, data } of this.columns) {
      const value = read(item);
      if (value instanceof Uint8Array) this.pendingBytes += value.byteLength;
      data.push(written(type, value));
    }
    this.count += 1;
    this.pendingRows += 1;
    if (this.pendingRows === mostRows || this.pendingBytes >= mostBytes) await this.flush();
  }

  /** The file is whole and on the disk. */
  async finish(): Promise<void> {
    await this.flush();
    await this.writer.finish();
    const file = await open(this.path, 'r+');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  }

  private async flush(): Promise<void> {
    if (this.pendingRows === 0) return;
    // A dictionary of JSON would hold each text once, and take long to find that out.
    const columnData = this.columns.map(({ name, type, data }) => ({ name, data, ...(type === 'json' && { encoding: 'PLAIN' as const }) }));
    await this.writer.write({ columnData, rowGroupSize: this.pendingRows });
    for (const column of this.columns) column.data = [];
    [this.pendingRows, this.pendingBytes] = [0, 0];
  }
}

function written(type: ColumnType, value: Value): unknown {
  if (value === null || value === undefined) return undefined;
  if (type === 'count') return BigInt(value as number);
  return type === 'time' ? new Date(Number(value)) : value;
}

/** Rows `start` … `end − 1` of a table, with the named columns; all rows where none are said. */
export interface Selection<Name extends string> {
  readonly columns: readonly Name[];
  readonly start?: number;
  readonly end?: number;
}

/** A row as it is read: times are milliseconds since 1970, and nothing is null. */
export type Row<Name extends string> = Readonly<Record<Name, string | number | boolean | null>>;

/**
 * Reads rows of a Parquet file in a part of a store.
 * @throws INVALID_STORE where it is damaged or missing
 */
export async function readTable<Name extends string>(path: string, { columns, start, end }: Selection<Name>): Promise<Row<Name>[]> {
  try {
    await requireWhole(path);
    const file = await asyncBufferFromFile(path);
    const metadata = await parquetMetadataAsync(file);
    const missing = columns.filter((name) => !metadata.schema.some((element) => element.name === name));
    if (missing.length > 0) throw new Error(`it has no column ${missing.join(', ')}`);
    const rows = await parquetReadObjects({
      file,
      metadata,
      columns: [...columns],
      compressors: { ZSTD: (input: Uint8Array) => zstdDecompressSync(input) },
      ...(start !== undefined && { rowStart: start }),
      ...(end !== undefined && { rowEnd: end }),
    });
    return rows.map((row) => Object.fromEntries(columns.map((name) => [name, plain(row[name])])) as Row<Name>);
  } catch (error) {
    throw error instanceof AttnswapError ? error : damagedFile(path, (error as Error).message, error);
  }
}

function plain(value: unknown): string | number | boolean | null {
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Date) return value.getTime();
  return value === undefined ? null : (value as string | number | boolean | null);
}
