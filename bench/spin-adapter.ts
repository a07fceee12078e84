import { adapter as onnx } from '../adapters/onnx/adapter.ts';
import type { Adapter } from '../src/contract/adapter.ts';

/** The share of each call's own duration that is spun after it, from this module's URL: `spin-adapter.ts?spin=0.1`. */
const share = Number(new URL(import.meta.url).searchParams.get('spin') ?? 0);

/** The `onnx` adapter with calls that are slower by a known share: a real kernel with a regression of known size. */
export const adapter: Adapter = {
  ...onnx,
  async prepare(request) {
    const kernel = await onnx.prepare(request);
    if ('unsupported' in kernel) return kernel;
    return {
      run: async () => {
        const start = process.hrtime.bigint();
        await kernel.run();
        const end = start + BigInt(Math.round(Number(process.hrtime.bigint() - start) * (1 + share)));
        while (process.hrtime.bigint() < end);
      },
      output: () => kernel.output(),
      dispatch: () => kernel.dispatch(),
      peakDeviceBytes: () => kernel.peakDeviceBytes(),
      dispose: () => kernel.dispose(),
    };
  },
};
