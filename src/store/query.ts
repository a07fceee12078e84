import { existsSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { AttnswapError } from '../contract/errors.ts';
import { oneLine } from '../text/untrusted.ts';
import { requireWhole } from './checksums.ts';
import { partsOf, recordsFolder, tableFile } from './parts.ts';
import { tableNames, tables } from './tables.ts';
import type { ColumnType, TableName } from './tables.ts';

/** What a query found: whole numbers of more than 2⁵³ are text, times ISO 8601. */
export interface QueryResult {
  readonly columns: readonly string[];
  readonly rows: ReadonlyArray<readonly unknown[]>;
}

/** What DuckDB is told before anything of the user's runs; none of it can be set back. */
const settings = {
  autoinstall_known_extensions: 'false',
  autoload_known_extensions: 'false',
  allow_community_extensions: 'false',
  // No spilling to disk: a query that needs more ends with an error.
  temp_directory: '',
};

const interruptMs = 20;

const sqlTypes: Readonly<Record<ColumnType, string>> = {
  text: 'VARCHAR',
  number: 'DOUBLE',
  count: 'BIGINT',
  flag: 'BOOLEAN',
  time: 'TIMESTAMP',
  json: 'VARCHAR',
};

/**
 * Answers one SELECT over the tables of a store by DuckDB, which can read the store's own folder and nothing else: no other file, no network, no
 * extension, no settings.
 * @throws UNSUPPORTED where DuckDB is not installed; INVALID_QUERY with DuckDB's own words; INVALID_STORE, INTERRUPTED
 */
export async function queryStore(store: string, sql: string, signal?: AbortSignal): Promise<QueryResult> {
  const { DuckDBInstance, StatementType } = await loadDuckDb();
  const parts = await partsOf(store);
  for (const part of parts) {
    signal?.throwIfAborted();
    await Promise.all(tableNames.map((name) => requireWhole(tableFile(part, name))));
  }
  const instance = await DuckDBInstance.create(':memory:', settings);
  const connection = await instance.connect();
  // Again and again: what is not running yet is not interrupted.
  let interrupting: NodeJS.Timeout | undefined;
  const interrupt = () => (interrupting = setInterval(() => connection.interrupt(), interruptMs));
  signal?.addEventListener('abort', interrupt);
  try {
    signal?.throwIfAborted();
    for (const name of tableNames) await connection.run(viewsOf(name, parts));
    const folder = existsSync(recordsFolder(store)) ? [quoted(await realpath(recordsFolder(store)))] : [];
    await connection.run(`SET allowed_directories = [${folder.join()}]`);
    await connection.run('SET enable_external_access = false');
    await connection.run('SET lock_configuration = true');
    const statements = await connection.extractStatements(sql);
    if (statements.count !== 1) throw new Error(`expected one statement, got ${statements.count}`);
    const statement = await statements.prepare(0);
    if (statement.statementType !== StatementType.SELECT) throw new Error('only SELECT is allowed; a query must not change anything');
    const reader = await statement.runAndReadAll();
    return { columns: reader.columnNames(), rows: reader.getRowsJS().map((row) => row.map(plain)) };
  } catch (error) {
    signal?.throwIfAborted();
    throw new AttnswapError('INVALID_QUERY', oneLine((error as Error).message), {
      hint: 'attnswap query "describe cells" lists the columns',
      cause: error,
    });
  } finally {
    clearInterval(interrupting);
    signal?.removeEventListener('abort', interrupt);
    connection.closeSync();
    instance.closeSync();
  }
}

async function loadDuckDb() {
  try {
    return await import('@duckdb/node-api');
  } catch (error) {
    throw new AttnswapError('UNSUPPORTED', `queries need DuckDB, which is not installed: ${(error as Error).message.split('\n')[0]}`, {
      hint: 'npm install @duckdb/node-api (about 70 MB)',
      cause: error,
    });
  }
}

/** Columns that only the store itself needs. */
const hidden = new Set(['key', 'firstCell', 'firstComparison', 'replaces', 'json']);

/** A table over all parts, and `<table>_json` with the records themselves. Runs that a later state replaces are left out, with their cells. */
function viewsOf(name: TableName, parts: readonly string[]): string {
  const columns = Object.entries<readonly [ColumnType, unknown]>(tables[name]);
  const shown = columns.flatMap(([column]) => (hidden.has(column) ? [] : [quotedName(column)]));
  const [id, item] = columns.map(([column]) => quotedName(column));
  const raw = [id, ...(name === 'cells' || name === 'comparisons' ? [item] : []), 'json'];
  return `CREATE VIEW ${name} AS SELECT ${shown.join()} FROM ${sourceOf(name, parts)};
    CREATE VIEW ${name}_json AS SELECT ${raw.join()} FROM ${sourceOf(name, parts)}`;
}

function sourceOf(name: TableName, parts: readonly string[]): string {
  if (parts.length === 0) {
    const columns = Object.entries<readonly [ColumnType, unknown]>(tables[name]);
    return `(SELECT ${columns.map(([column, [type]]) => `NULL::${sqlTypes[type]} AS ${quotedName(column)}`).join()}) WHERE false`;
  }
  const files = (table: TableName) => `read_parquet([${parts.map((part) => quoted(tableFile(part, table))).join()}])`;
  if (name !== 'runs' && name !== 'cells') return files(name);
  return `${files(name)} WHERE run NOT IN (SELECT replaces FROM ${files('runs')} WHERE replaces IS NOT NULL)`;
}

function quotedName(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A value as JSON holds it. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]));
  return value;
}
