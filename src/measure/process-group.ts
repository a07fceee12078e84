import { mkdtempSync, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import '../processes/quiet-environment.ts';

/** Whether a worker leads a group of its own, so that a signal reaches what it starts too. */
export const hasGroups = process.platform !== 'win32';

/** Signals a worker and all that it started; nothing where they are gone. */
export function signalGroup(leader: number | undefined, signal: NodeJS.Signals): void {
  if (leader === undefined) return;
  try {
    process.kill(hasGroups ? -leader : leader, signal);
  } catch {
    // Gone already: how it ended is told elsewhere.
  }
}

let compiled: string | undefined;

/**
 * Where the workers of this process keep their compiled sources for one another: each then starts in half the time. A folder that Node was
 * told to use, or one that goes with this process; a lasting one in a place that others can write to would let them hand us code.
 */
function compiledSources(): string {
  compiled ??= process.env['NODE_COMPILE_CACHE'];
  if (compiled === undefined) {
    const folder = mkdtempSync(join(tmpdir(), 'attnswap-compiled-'));
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    compiled = folder;
  }
  return compiled;
}

/** A folder for a worker's temporary files, which go when it ends, however it ends. */
export async function scratchFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'attnswap-'));
  return {
    env: { TMPDIR: folder, TEMP: folder, TMP: folder, NODE_COMPILE_CACHE: compiledSources() },
    remove: () => rm(folder, { recursive: true, force: true, maxRetries: 3 }),
  };
}
