import { extname } from 'node:path';

/** A module of attnswap's own, by its path from another one and without its ending: the compiled package holds .js where the sources hold .ts. */
export function ownModule(path: string, from: string): URL {
  return new URL(path + extname(new URL(from).pathname), from);
}
