import { fileURLToPath } from 'node:url';
import type { Adapter, KernelDescription, KernelGraphRequest, KernelRequest, Unsupported } from '../../../src/contract/adapter.ts';
import { workerAdapter } from '../../../src/protocol/worker-adapter.ts';
import { findPython } from '../../torch/python.ts';
import { adapter as onnx } from '../adapter.ts';
import { kernelGraph, kernelModel } from '../kernel-graph.ts';
import { configOf, kernelOf } from '../kernel-of.ts';
import { kernels, newerKernels } from '../kernels/index.ts';
import { portsOf } from './graph-ports.ts';

/** The folder that Python runs, with its `__main__.py`. */
export const workerFolder: string = fileURLToPath(new URL('./worker', import.meta.url));

/** A Python package that runs ONNX models. */
export interface GraphRuntime {
  /** Of the adapter. */
  readonly name: string;
  /** As Python imports it. */
  readonly package: 'openvino' | 'onnxruntime';
  /** The backend on the processor, whose workers may be forked. */
  readonly cpu?: string;
  /** Backends, with what each needs. */
  readonly needs: Readonly<Record<string, string>>;
  /** Kernels that the worker builds itself. */
  readonly own?: readonly KernelDescription[];
  /** Kernels of `onnx-cpu`, as `linear.fused`, that the runtime lacks on all backends, each with the reason. */
  readonly lacking?: Readonly<Record<string, string>>;
}

/** The adapter of a Python package that runs the ONNX models of `onnx-cpu`'s kernels, in a process of its own. */
export function graphWorker(runtime: GraphRuntime): Adapter {
  const { name, needs, own = [], lacking = {} } = runtime;
  const backends = Object.keys(needs);
  const shared = [...kernels, ...newerKernels].map(({ variant, kernel, summary, scoredPairs, capIgnored }) => {
    const reason = lacking[`${variant}.${kernel}`];
    const missing = reason !== undefined && { lacking: Object.fromEntries(backends.map((backend) => [backend, reason])) };
    return { variant, kernel, summary, scoredPairs, ...(capIgnored !== undefined && { capIgnored }), ...missing };
  });
  const worker = workerAdapter({
    name,
    backends,
    // What is lacking comes last, so that it is no variant's default.
    kernels: [...own, ...shared].toSorted((a, b) => Number('lacking' in a) - Number('lacking' in b)),
    needs,
    graphOf: (request) => (own.some((kernel) => isOf(kernel, request)) ? undefined : graphOf(request)),
    portsOf,
    ...(runtime.cpu !== undefined && { forked: [runtime.cpu] }),
    // -B: an installed package's folder is not to be written into.
    get command(): [string, ...string[]] {
      return [graphPython(), '-B', workerFolder, runtime.package];
    },
    mend: `pip install ${runtime.package} numpy; --python or ATTNSWAP_ONNX_PYTHON selects another Python`,
  });
  return {
    ...worker,
    readsOn: 'onnx-cpu',
    // A compiler may merge, rename and leave out nodes: what a tensor of the file holds is read where every node runs as it is written.
    openModel: (request) =>
      request.purpose === 'reading' ? onnx.openModel!({ ...request, backend: 'onnx-cpu' }) : worker.openModel!(request),
    kernelGraph(request) {
      const wanted = `${request.variant}.${request.kernel}`;
      if (own.some((kernel) => isOf(kernel, request)))
        return {
          unsupported: `${wanted} is an operator of ${runtime.package}, not an ONNX graph: choose another kernel of ${request.variant}`,
        };
      return wanted in lacking ? { unsupported: `${name} has no ${wanted}: ${lacking[wanted]}` } : kernelGraph(request);
    },
  };
}

/** The Python with the packages: the one that `ATTNSWAP_ONNX_PYTHON` names, else PyTorch's. */
export function graphPython(environment: Readonly<Record<string, string | undefined>> = process.env): string {
  return environment['ATTNSWAP_ONNX_PYTHON'] || findPython(environment);
}

function isOf(kernel: KernelDescription, request: KernelRequest | KernelGraphRequest): boolean {
  return kernel.variant === request.variant && kernel.kernel === request.kernel;
}

function graphOf(request: KernelRequest): Uint8Array | Unsupported {
  const config = configOf(request);
  const kernel = kernelOf(request, config);
  return 'unsupported' in kernel ? kernel : kernelModel(kernel, config);
}
