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
    throw new AttnswapError('USAGE', `${path}: could not be loaded: ${(error as Error).message}`, {
      hint: 'run the file with node to see the error',
      cause: error,
    });
  });
  return { name, backends, module, load };
}

/** The adapter of a module by its URL, which is all that a measuring process is told of it. */
export async function loadAdapter(module: string): Promise<Adapter> {
  return ((await import(module)) as { readonly adapter: Adapter }).adapter;
}

/** The adapter that has a backend. @throws UNKNOWN_BACKEND */
export function findAdapter(adapters: readonly AdapterEntry[], backend: string): AdapterEntry {
  const found = adapters.find(({ backends }) => backends.includes(backend));
  if (found !== undefined) return found;
  const known = adapters.flatMap(({ backends }) => backends).join(', ');
  throw new AttnswapError('UNKNOWN_BACKEND', `unknown backend ${JSON.stringify(backend)}, expected one of ${known}`, {
    hint: 'attnswap doctor',
  });
}
