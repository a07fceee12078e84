import type { Engine } from './engine.ts';
import type { Tf } from './kernel.ts';
import { selectOnDevice } from './select-on-device.ts';

/** What is used of tfjs's WebGPU backend beside the operations. */
interface WebgpuBackend {
  readonly device: Device;
  readonly adapterInfo: AdapterInfo;
  readonly bufferManager: { numBytesUsed: number; acquireBuffer(...given: unknown[]): unknown };
  readonly commandEncoder: unknown;
  endComputePassEncoder(): void;
  submitQueue(): void;
}

interface Device {
  readonly queue: { onSubmittedWorkDone(): Promise<unknown> };
  readonly adapterInfo?: AdapterInfo;
  addEventListener(type: 'uncapturederror', listener: (event: { readonly error: { readonly message: string } }) => void): void;
}

interface AdapterInfo {
  readonly vendor?: string;
  readonly architecture?: string;
  readonly device?: string;
  readonly description?: string;
}

/** tfjs-backend-webgpu on Dawn, which the package `webgpu` brings to Node. Both are optional peers. */
export async function loadWebgpu(): Promise<Engine> {
  // Asked first: without one tfjs prints a stack trace before it says no.
  if ((await (await provideGpu()).requestAdapter()) === null) throw new Error('no WebGPU adapter found');
  const tf = await import('@tensorflow/tfjs-core');
  await import('@tensorflow/tfjs-backend-webgpu');
  // Otherwise small operations whose inputs are still on the host run there.
  tf.env().set('WEBGPU_CPU_FORWARD', false);
  if (!(await tf.setBackend('webgpu'))) throw new Error('tfjs could not start WebGPU');
  const backend = tf.backend() as unknown as WebgpuBackend;
  const version = tf.version_core;
  const throwError = watchErrors(backend.device);
  return {
    tf,
    backendName: 'webgpu',
    heads: 'all',
    selection: selectOnDevice,
    flags: [],
    status: {
      available: true,
      version: `@tensorflow/tfjs-backend-webgpu ${version}`,
      device: `GPU through WebGPU (Dawn): ${nameOf(backend.adapterInfo)}`,
      threads: null,
      dtypes: ['f32'],
    },
    synchronize: () => finish(tf).then(throwError),
    watchDevice: () => watchBuffers(tf.backend() as unknown as WebgpuBackend),
  };
}

function nameOf(info: AdapterInfo): string {
  return (
    [info.vendor, info.architecture, info.device, info.description].filter((part) => part !== undefined && part !== '').join(' ') ||
    'unnamed'
  );
}

/** Dawn ends with its GPU object: it must stay reachable. */
let gpu: { requestAdapter(): Promise<object | null> } | undefined;

async function provideGpu(): Promise<NonNullable<typeof gpu>> {
  if (gpu !== undefined) return gpu;
  const dawn = await import('webgpu');
  Object.assign(globalThis, dawn.globals);
  gpu = dawn.create([]);
  const navigator = Object.create(globalThis.navigator ?? null, { gpu: { value: gpu, enumerable: true } }) as object;
  Object.defineProperty(globalThis, 'navigator', { value: navigator, configurable: true, writable: true });
  return gpu;
}

async function finish(tf: Tf): Promise<void> {
  const backend = tf.backend() as unknown as WebgpuBackend;
  backend.endComputePassEncoder();
  if (backend.commandEncoder !== null) backend.submitQueue();
  await backend.device.queue.onSubmittedWorkDone();
}

/**
 * Throws the first error of the GPU since it last threw. tfjs throws none: what an operation that failed, and those submitted with it, should have
 * written is left as it was.
 */
function watchErrors(device: Device): () => void {
  let first: string | undefined;
  device.addEventListener('uncapturederror', ({ error }) => (first ??= error.message));
  return () => {
    const message = first;
    first = undefined;
    if (message !== undefined) throw new Error(`WebGPU: ${message.split('\n', 1)[0]}`);
  };
}

/** Bytes in buffers that are in use: buffers that tfjs keeps for later do not count, temporaries inside operations do. */
function watchBuffers({ bufferManager }: WebgpuBackend): { peak(): number; readonly method: string } {
  const start = bufferManager.numBytesUsed;
  let most = start;
  const acquire = bufferManager.acquireBuffer;
  bufferManager.acquireBuffer = (...given) => {
    const buffer = acquire.apply(bufferManager, given);
    most = Math.max(most, bufferManager.numBytesUsed);
    return buffer;
  };
  return {
    method: 'tfjs-webgpu buffers in use',
    peak() {
      bufferManager.acquireBuffer = acquire;
      return most - start;
    },
  };
}
