import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** What `npm run setup:deepspeed` makes. */
const ownPython = fileURLToPath(new URL('../.cache/deepspeed/bin/python3', import.meta.url));

const versions = "from importlib.metadata import version; version('torch'), version('transformers'), version('deepspeed')";

/** The Python that `ATTNSWAP_DEEPSPEED_PYTHON` names, or that of `npm run setup:deepspeed`, where it has PyTorch, transformers and DeepSpeed. */
export const deepspeedPython: string | undefined = [process.env['ATTNSWAP_DEEPSPEED_PYTHON'] ?? ownPython].find(
  (path) => (path !== ownPython || existsSync(path)) && spawnSync(path, ['-c', versions]).status === 0,
);

/** For tests: false where there is one. */
export const skipDeepspeed: string | false =
  deepspeedPython === undefined && 'no Python with DeepSpeed: npm run setup:deepspeed makes one, or ATTNSWAP_DEEPSPEED_PYTHON names one';
