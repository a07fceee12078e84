import { queryStore } from '../store/query.ts';
import type { QueryResult } from '../store/query.ts';
import type { StoreOptions } from './baseline.ts';
import { defaults } from './defaults.ts';
import type { OperationOptions } from './options.ts';

export type { QueryResult } from '../store/query.ts';

export interface QueryOptions extends StoreOptions, Pick<OperationOptions, 'signal'> {
  /** One SELECT over the tables `runs`, `cells`, `verdicts` and `comparisons`. */
  readonly sql: string;
}

/**
 * Answers a SELECT over the store by DuckDB, which reads nothing else and changes nothing.
 * @throws UNSUPPORTED without the package `@duckdb/node-api`; INVALID_QUERY, INVALID_STORE, INTERRUPTED
 */
export async function query({ sql, store = defaults.store, signal }: QueryOptions): Promise<QueryResult> {
  return queryStore(store, sql, signal);
}
