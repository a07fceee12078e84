import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** What `npm run setup:torch` makes. */
const ownPython = fileURLToPath(new URL('../.cache/torch/bin/python3', import.meta.url));

const versions = "from importlib.metadata import version; print(version('torch'), version('transformers'))";

function isComplete(python: string): boolean {
  const { status, stdout } = spawnSync(python, ['-c', versions], { encoding: 'utf8' });
  return status === 0 && Number(stdout.trim().split(' ')[1]!.split('.')[0]) >= 5;
}

/** The Python that `ATTNSWAP_PYTHON` names, or that of `npm run setup:torch`, where it has PyTorch and transformers 5. */
export const python: string | undefined = [process.env['ATTNSWAP_PYTHON'] ?? 'python3', ownPython].find(
  (path) => (path !== ownPython || existsSync(path)) && isComplete(path),
);

/** For tests: false where there is one. */
export const skip: string | false =
  python === undefined && 'no Python with PyTorch and transformers 5: npm run setup:torch makes one, or ATTNSWAP_PYTHON names one';
if (python !== undefined) process.env['ATTNSWAP_PYTHON'] = python;
