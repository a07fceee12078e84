import { fileURLToPath } from 'node:url';
import type { Adapter, AdapterEntry } from '../src/contract/adapter.ts';
import { findVariant } from '../src/variants/index.ts';
import { workerAdapter } from '../src/protocol/worker-adapter.ts';
import { findPython } from './torch/python.ts';

const driver = fileURLToPath(new URL('./torch/worker/callable.py', import.meta.url));

export const callableBackends = ['callable-cpu', 'callable-cuda'] as const;

/** A Python function of q, k, v and a keyword, taken for a variant's kernel. */
export interface Callable {
  /** `package.module:function`; the module is looked for in `cwd` first. */
  readonly target: string;
  /** What it claims to be. */
  readonly variant: string;
  /** The variant's parameter that the keyword takes. */
  readonly parameter: string;
  /** The first of these names that the function takes. */
  readonly keywords: readonly string[];
  /** What it is given. */
  readonly arrays: 'torch' | 'numpy';
  /** Of the libraries that it calls. */
  readonly threads: number;
  readonly cwd: string;
}

/** The adapter of a Python function, which runs in a process of its own. */
export function callableEntry(callable: Callable): AdapterEntry {
  const module = new URL(import.meta.url);
  module.searchParams.set('callable', JSON.stringify(callable));
  return { name: 'callable', backends: callableBackends, module: module.href, load: async () => adapterOf(callable) };
}

function adapterOf({ cwd, ...callable }: Callable): Adapter {
  const { cost } = findVariant(callable.variant);
  return workerAdapter({
    name: 'callable',
    backends: callableBackends,
    kernels: [
      {
        variant: callable.variant,
        kernel: 'callable',
        summary: callable.target,
        scoredPairs: (parameters, shape) => cost(parameters, shape).scoredPairs,
      },
    ],
    command: [findPython(), '-B', driver, JSON.stringify(callable)],
    cwd,
    mend: '--python or ATTNSWAP_PYTHON selects another Python',
  });
}

const given = new URL(import.meta.url).searchParams.get('callable');

/** Of the function that this module's URL names, for the processes that measure. */
export const adapter: Adapter | undefined = given === null ? undefined : adapterOf(JSON.parse(given) as Callable);
