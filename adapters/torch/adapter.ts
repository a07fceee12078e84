import { fileURLToPath } from 'node:url';
import type { Adapter } from '../../src/contract/adapter.ts';
import { workerAdapter } from '../../src/protocol/worker-adapter.ts';
import { kernels } from './kernels.ts';
import { findPython } from './python.ts';

/** The folder that Python runs, with its `__main__.py`. */
export const workerFolder: string = fileURLToPath(new URL('./worker', import.meta.url));

/** PyTorch, in a Python process of its own: kernels are PyTorch operators, timed and profiled there. */
export const adapter: Adapter = workerAdapter({
  name: 'torch',
  backends: ['torch-cpu', 'torch-cuda'],
  kernels,
  trains: true,
  opensModels: true,
  forked: ['torch-cpu'],
  needs: {
    'torch-cpu': 'a Python with PyTorch ≥ 1.13: `pip install torch`, or on Debian `apt-get install python3-torch libopenblas0-pthread`',
    'torch-cuda': 'the same, built for CUDA, and an NVIDIA GPU (untested)',
  },
  // -B: an installed package's folder is not to be written into.
  get command(): [string, ...string[]] {
    return [findPython(), '-B', workerFolder];
  },
  mend: `does this Python have PyTorch? pip install torch (or, on Debian, apt-get install python3-torch libopenblas0-pthread); --python or ATTNSWAP_PYTHON selects another`,
});
