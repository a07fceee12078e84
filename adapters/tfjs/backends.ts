import type { BackendStatus } from '../../src/contract/adapter.ts';
import { AttnswapError } from '../../src/contract/errors.ts';
import type { Backend, Engine } from './engine.ts';
import { exclusively } from './engine.ts';

/** Every backend; nothing of tfjs is loaded until one is asked for. */
export const backends: readonly Backend[] = [
  {
    name: 'tfjs-cpu',
    needs: '`npm install @tensorflow/tfjs-core @tensorflow/tfjs-backend-cpu`',
    mend: 'npm install @tensorflow/tfjs-core @tensorflow/tfjs-backend-cpu',
    load: async () => (await import('./load-cpu.ts')).loadCpu(),
  },
  {
    name: 'tfjs-wasm',
    needs: '`npm install @tensorflow/tfjs-core @tensorflow/tfjs-backend-cpu @tensorflow/tfjs-backend-wasm`',
    mend: 'npm install @tensorflow/tfjs-core @tensorflow/tfjs-backend-cpu @tensorflow/tfjs-backend-wasm',
    load: async () => (await import('./load-wasm.ts')).loadWasm(),
  },
  {
    name: 'tfjs-webgpu',
    needs:
      "`npm install @tensorflow/tfjs-core @tensorflow/tfjs-backend-cpu @tensorflow/tfjs-backend-webgpu webgpu` and a GPU driver, or SwiftShader's Vulkan (correctness only)",
    mend: 'npm install @tensorflow/tfjs-core @tensorflow/tfjs-backend-cpu @tensorflow/tfjs-backend-webgpu webgpu, and a Vulkan, Metal or D3D12 driver; without a GPU (for correctness checks only): apt-get install chromium libvulkan1, then VK_DRIVER_FILES=/usr/lib/chromium/vk_swiftshader_icd.json',
    load: async () => (await import('./load-webgpu.ts')).loadWebgpu(),
  },
  {
    name: 'tfjs-node',
    needs:
      '`npm install @tensorflow/tfjs-node`, which fetches a library; `npm run build:tfjs-node` builds it for the tests where that is blocked',
    mend: 'npm install @tensorflow/tfjs-node, or ATTNSWAP_TFJS_NODE=<folder of the package>',
    load: async () => nodeEngine('tfjs-node'),
  },
  {
    name: 'tfjs-node-gpu',
    needs: 'an NVIDIA GPU, CUDA 11.2, cuDNN 8.1, and `npm install @tensorflow/tfjs-node-gpu` (untested)',
    mend: 'npm install @tensorflow/tfjs-node-gpu (with CUDA 11.2 and cuDNN 8.1), or ATTNSWAP_TFJS_NODE_GPU=<folder of the package>',
    load: async () => nodeEngine('tfjs-node-gpu'),
  },
];

async function nodeEngine(name: 'tfjs-node' | 'tfjs-node-gpu'): Promise<Engine> {
  const { loadNode, nodePackages } = await import('./load-node.ts');
  return loadNode(nodePackages[name]);
}

const loaded = new Map<string, Promise<Engine>>();

/** The backend's engine, loaded once a process. @throws UNKNOWN_BACKEND, and what loading throws */
export function loadEngine(name: string): Promise<Engine> {
  const backend = findBackend(name);
  const engine = loaded.get(name) ?? exclusively(() => backend.load());
  loaded.set(name, engine);
  return engine;
}

export async function statusOf(name: string): Promise<BackendStatus> {
  const { mend } = findBackend(name);
  try {
    return (await loadEngine(name)).status;
  } catch (error) {
    return { available: false, reason: reasonOf(error), mend };
  }
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const missing = /Cannot find (?:package|module) '([^']+)'/.exec(text)?.[1];
  return missing === undefined ? text.split('\n')[0]!.slice(0, 300) : `${missing} is not installed`;
}

function findBackend(name: string): Backend {
  const found = backends.find((backend) => backend.name === name);
  if (found !== undefined) return found;
  throw new AttnswapError(
    'UNKNOWN_BACKEND',
    `tfjs: unknown backend ${JSON.stringify(name)}, expected one of ${backends.map((known) => known.name).join(', ')}`,
  );
}
