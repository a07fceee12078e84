import { existsSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The Python that runs the worker: the one that `ATTNSWAP_PYTHON` names, the active virtual environment's, or `python3` on the path
 * (`python` on Windows).
 */
export function findPython(
  environment: Readonly<Record<string, string | undefined>> = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  const named = environment['ATTNSWAP_PYTHON'];
  if (named !== undefined && named !== '') return named;
  const windows = platform === 'win32';
  const active = environment['VIRTUAL_ENV'];
  if (active !== undefined && active !== '') {
    const inside = windows ? join(active, 'Scripts', 'python.exe') : join(active, 'bin', 'python3');
    if (existsSync(inside)) return inside;
  }
  return windows ? 'python' : 'python3';
}
