import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { threadCount } from '../../src/processes/cpu-quota.ts';
import type { Engine } from './engine.ts';
import type { Tf } from './kernel.ts';
import { restoreNodeUtil } from './restore-node-util.ts';
import { selectOnDevice } from './select-on-device.ts';
import { selectOnHost } from './select-on-host.ts';
import type { Selection } from './selection.ts';

export const nodePackages = {
  'tfjs-node': { name: '@tensorflow/tfjs-node', variable: 'ATTNSWAP_TFJS_NODE' },
  'tfjs-node-gpu': { name: '@tensorflow/tfjs-node-gpu', variable: 'ATTNSWAP_TFJS_NODE_GPU' },
} as const;

export type NodePackage = (typeof nodePackages)[keyof typeof nodePackages];

/** What is used of the binding beside the operations. */
interface NodeBackend {
  readonly isUsingGpuDevice?: boolean;
  readonly binding?: { TF_Version?: string };
}

/** TensorFlow's TopK on the CPU sorts what it keeps: for a large k a selection in JavaScript takes a sixth of its time. */
const selectEntriesOnHost: Selection = { ...selectOnDevice, entries: 'host', keepLargest: selectOnHost.keepLargest };

/** TensorFlow's C library under tfjs-node: an optional peer, loaded from where the user has it. */
export async function loadNode(wanted: NodePackage): Promise<Engine> {
  const folder = findPackage(wanted);
  if (folder === undefined) throw new Error(`${wanted.name} is not installed`);
  restoreNodeUtil();
  // The package brings a tfjs-core of its own: kernels use that one.
  const tf = createRequire(join(folder, 'package.json'))(folder) as Tf;
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string };
  if (!(await tf.setBackend('tensorflow'))) throw new Error(`${wanted.name} could not start TensorFlow`);
  const backend = tf.backend() as unknown as NodeBackend;
  const onGpu = backend.isUsingGpuDevice === true;
  if (wanted === nodePackages['tfjs-node-gpu'] && !onGpu) throw new Error(`${wanted.name} found no GPU that TensorFlow can use`);
  return {
    tf,
    backendName: 'tensorflow',
    heads: 'all',
    selection: onGpu ? selectOnDevice : selectEntriesOnHost,
    flags: [],
    status: {
      available: true,
      version: `${wanted.name} ${version}`,
      device: onGpu ? 'NVIDIA GPU' : 'CPU',
      threads: onGpu ? null : Number(process.env['TF_NUM_INTRAOP_THREADS'] ?? threadCount()),
      dtypes: ['f32'],
      details: detailsOf(backend, onGpu),
    },
    // Operations on a GPU return before they are done; reading one number waits for the stream.
    ...(onGpu && { synchronize: async () => void tf.tidy(() => tf.add(tf.scalar(0), 1).dataSync()) }),
  };
}

function detailsOf({ binding }: NodeBackend, onGpu: boolean): Record<string, string> {
  const library = binding?.TF_Version;
  return {
    ...(library !== undefined && { library: `TensorFlow ${library}` }),
    ...(onGpu && { memory: 'tfjs-node does not report device memory', 'half precision': 'tfjs has no f16 tensors' }),
  };
}

/** The package's folder: from the environment, else from the working folder, else from where attnswap is installed. */
function findPackage({ name, variable }: NodePackage): string | undefined {
  const given = process.env[variable];
  if (given !== undefined && given !== '') return resolve(given);
  for (const from of [pathToFileURL(join(process.cwd(), 'package.json')).href, import.meta.url]) {
    try {
      return resolve(createRequire(from).resolve(`${name}/package.json`), '..');
    } catch {
      continue;
    }
  }
  return undefined;
}
