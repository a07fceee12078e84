import './optional-runtimes.ts';
import type { Adapter } from '../src/contract/adapter.ts';

/** For tests: false where the backend runs here, else the reason and what mends it. */
export async function skipWithout(adapter: Adapter, backend: string): Promise<string | false> {
  const status = await adapter.status(backend);
  return status.available ? false : `${status.reason}; ${status.mend}`;
}
