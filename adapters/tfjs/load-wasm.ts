import { fileURLToPath } from 'node:url';
import type { Engine } from './engine.ts';
import type { Tf } from './kernel.ts';
import { selectOnHost } from './select-on-host.ts';

/** The WebAssembly backend (XNNPACK). In Node it has SIMD and one thread. */
export async function loadWasm(): Promise<Engine> {
  const tf = await import('@tensorflow/tfjs-core');
  const wasm = await import('@tensorflow/tfjs-backend-wasm');
  wasm.setWasmPaths(fileURLToPath(new URL('.', import.meta.resolve('@tensorflow/tfjs-backend-wasm'))));
  await withoutHandlers(() => tf.setBackend('wasm'));
  const simd = await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT');
  const threads = (await tf.env().getAsync('WASM_HAS_MULTITHREAD_SUPPORT')) ? wasm.getThreadsCount() : 1;
  return {
    tf,
    backendName: 'wasm',
    heads: 'each',
    selection: selectOnHost,
    flags: threads === 1 ? ['single-threaded'] : [],
    status: {
      available: true,
      version: `@tensorflow/tfjs-backend-wasm ${wasm.version_wasm}`,
      device: 'CPU (WebAssembly)',
      threads,
      dtypes: ['f32'],
      details: { simd: simd ? 'yes' : 'no' },
    },
    renew: () => renewBackend(tf),
  };
}

/**
 * A fresh WebAssembly instance. Its memory grows and never shrinks, so that a second call in the same instance would show
 * no peak at all.
 */
async function renewBackend(tf: Tf): Promise<void> {
  const factory = tf.findBackendFactory('wasm');
  tf.removeBackend('wasm');
  tf.registerBackend('wasm', factory, 2);
  await withoutHandlers(() => tf.setBackend('wasm'));
}

/** Emscripten's start-up code listens to the process's errors, and would end it in its own way. */
async function withoutHandlers(start: () => Promise<boolean>): Promise<void> {
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  const before = events.map((event) => new Set(process.listeners(event as 'uncaughtException')));
  if (!(await start())) throw new Error('the wasm backend did not start');
  for (const [index, event] of events.entries()) {
    for (const listener of process.listeners(event as 'uncaughtException')) {
      if (!before[index]!.has(listener)) process.removeListener(event, listener);
    }
  }
}
