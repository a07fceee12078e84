import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Adapter, AdapterEntry } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';

/** A user's own adapter: a module that exports `adapter`. @throws USAGE */
export async function adapterAt(path: string): Promise<AdapterEntry> {
  const module = pathToFileURL(resolve(path)).href;
  const load = async () => {
    const { adapter } = (await import(module)) as { adapter?: Adapter };
    if (adapter?.prepare === undefined)
      throw new AttnswapError('USAGE', `${path}: does not export an adapter`, { hint: 'export const adapter: Adapter = { … }' });
    return adapter;
  };
  const { name, backends } = await load().catch((error: unknown) => {
    if (error instanceof AttnswapError) throw error;
    throw new AttnswapError('USAGE', `${path}: could not be loaded: ${(error as Error).message}`, { cause: error });
  });
  return { name, backends, module, load };
}
