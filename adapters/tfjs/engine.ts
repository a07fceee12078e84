import type { BackendStatus } from '../../src/contract/adapter.ts';
import type { Site, Tensor, Tf } from './kernel.ts';

/** A tfjs backend that has been loaded and works. */
export interface Engine extends Pick<Site, 'heads' | 'selection'> {
  readonly tf: Tf;
  /** As tfjs-core knows it: `cpu`, `wasm`, `webgpu`, `tensorflow`. */
  readonly backendName: string;
  readonly status: Extract<BackendStatus, { available: true }>;
  /** What a reader of figures from this backend should know. */
  readonly flags: readonly string[];
  /** Resolves when everything that was asked of the device is done. Absent where operations are done when they return. */
  synchronize?(): Promise<void>;
  /** Replaces the backend by a fresh one, with memory of its own; no tensor outlives it. */
  renew?(): Promise<void>;
  /** Follows device memory until `peak` is asked, which is in bytes beyond what was held at the start. */
  watchDevice?(): { peak(): number; readonly method: string };
}

/** A backend of the adapter, not loaded yet. */
export interface Backend {
  readonly name: string;
  /** The command that makes it available. */
  readonly mend: string;
  /** What a machine needs beyond attnswap's own packages, in words. */
  readonly needs?: string;
  /** Throws where the backend is not there. */
  load(): Promise<Engine>;
}

let busy: Promise<unknown> = Promise.resolve();

/**
 * Runs `work` when nothing else uses tfjs in this process: it has one active backend, which stays half set while another
 * is being started.
 */
export function exclusively<T>(work: () => Promise<T>): Promise<T> {
  const result = busy.then(work);
  busy = result.catch(() => undefined);
  return result;
}

/** Runs `work` with the engine's backend active. */
export function using<T>({ tf, backendName }: Engine, work: () => T | Promise<T>): Promise<T> {
  return exclusively(async () => {
    if (tf.getBackend() !== backendName && !(await tf.setBackend(backendName))) {
      throw new Error(`tfjs could not start its ${backendName} backend`);
    }
    return work();
  });
}

/** A tensor's values. On WebGPU this waits for the device. */
export async function readTensor(tensor: Tensor): Promise<Float32Array> {
  return Float32Array.from((await tensor.data()) as Float32Array);
}
