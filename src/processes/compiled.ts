import { lstatSync, mkdirSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/**
 * The folder where compiled sources stay from run to run, so that commands and workers start in half the time: where Node was told to keep
 * them, else in the user's cache folder. undefined where it cannot be made, or where others may write to it and so hand us code.
 */
export function compiledSources(): string | undefined {
  return process.env['NODE_COMPILE_CACHE'] ?? own();
}

/**
 * The folder beside them for kernels that PyTorch compiles. undefined where nothing is to be kept, or others may write to the folder, also to one
 * that Node was told to use: what lies there is run.
 */
export function compiledKernels(): string | undefined {
  const { NODE_COMPILE_CACHE: told, NODE_DISABLE_COMPILE_CACHE: disabled } = process.env;
  if (disabled !== undefined || told === '') return undefined;
  try {
    const sources = told === undefined ? own() : ownFolder(resolve(told));
    return sources && ownFolder(sources, 'torch');
  } catch {
    return undefined;
  }
}

/** Keeps what this process compiles from here on. */
export function keepCompiled(): void {
  const folder = own();
  if (process.env['NODE_COMPILE_CACHE'] === undefined && folder !== undefined) enableCompileCache(folder);
}

function own(): string | undefined {
  try {
    return ['attnswap', 'compiled'].reduce(ownFolder, ownFolder(cacheFolder()));
  } catch {
    return undefined;
  }
}

function cacheFolder(): string {
  const { XDG_CACHE_HOME: cache, LOCALAPPDATA: local } = process.env;
  if (process.platform === 'win32') return local ?? join(homedir(), 'AppData', 'Local');
  return process.platform === 'darwin' ? join(homedir(), 'Library', 'Caches') : cache || join(homedir(), '.cache');
}

/** Made one level at a time: Node's recursive mkdir never returns below a place that takes no folders, such as /proc. */
function ownFolder(parent: string, name = ''): string {
  const folder = join(parent, name);
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const { uid, mode } = lstatSync(folder);
  if (uid !== (process.getuid?.() ?? uid) || (process.platform !== 'win32' && (mode & 0o022) !== 0))
    throw new Error(`${folder} is not ours alone`);
  return folder;
}
