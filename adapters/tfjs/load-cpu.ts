import type { Engine } from './engine.ts';
import { selectOnHost } from './select-on-host.ts';

/** The plain JavaScript backend: a reference for what a machine without WebAssembly does. */
export async function loadCpu(): Promise<Engine> {
  const tf = await import('@tensorflow/tfjs-core');
  const { version_cpu: version } = await import('@tensorflow/tfjs-backend-cpu');
  await tf.setBackend('cpu');
  // Otherwise its first call prints an advertisement of tfjs-node.
  Object.assign(tf.backend(), { firstUse: false });
  return {
    tf,
    backendName: 'cpu',
    heads: 'each',
    selection: selectOnHost,
    flags: ['plain JavaScript, single-threaded'],
    status: {
      available: true,
      version: `@tensorflow/tfjs-backend-cpu ${version}`,
      device: 'CPU (JavaScript)',
      threads: 1,
      dtypes: ['f32'],
    },
  };
}
