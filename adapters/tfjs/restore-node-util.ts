import { createRequire } from 'node:module';

/** Functions of `node:util` that tfjs-node 4.22 calls; Node 23 removed the first, and warns of the second. */
const mended: Record<string, (value: unknown) => boolean> = {
  isNullOrUndefined: (value) => value === null || value === undefined,
  isArray: Array.isArray,
};

/** Puts them back. tfjs-node reads them from CommonJS's `util` at each use. */
export function restoreNodeUtil(): void {
  const util = createRequire(import.meta.url)('node:util') as Record<string, unknown>;
  for (const [name, restored] of Object.entries(mended)) util[name] = restored;
}
