import type { Adapter, AdapterEntry, BackendStatus } from '../contract/adapter.ts';
import type { KernelAt } from './check-kernel.ts';

/** A kernel on a backend of this machine: it runs here, the backend needs something, or has no such kernel. */
export interface Support extends KernelAt {
  readonly adapter: string;
  readonly state: 'runs' | 'needs' | 'lacks';
  /** Why it does not run here; absent where it does. */
  readonly reason?: string;
  /** The command that mends it, where there is one. */
  readonly mend?: string;
}

/** A backend with its status here and the kernels of its adapter. */
export interface BackendSupport {
  readonly backend: string;
  readonly status: BackendStatus;
  readonly kernels: readonly Support[];
}

/** Every kernel of every backend of every adapter: what `doctor`, the conformance test and the README's table are made from. */
export async function supportOf(entries: readonly AdapterEntry[]): Promise<BackendSupport[]> {
  const found: BackendSupport[] = [];
  for (const entry of entries) {
    const adapter = await entry.load();
    for (const backend of adapter.backends) {
      const status = await adapter.status(backend);
      found.push({ backend, status, kernels: adapter.kernels.map((kernel) => supportAt(adapter, kernel, { backend, status })) });
    }
  }
  return found;
}

function supportAt(
  { name: adapter }: Adapter,
  { variant, kernel, lacking }: Adapter['kernels'][number],
  { backend, status }: { backend: string; status: BackendStatus },
): Support {
  const at = { adapter, backend, variant, kernel };
  const lacks = lacking?.[backend] ?? (status.available ? status.lacking?.[`${variant}.${kernel}`] : undefined);
  if (lacks !== undefined) return { ...at, state: 'lacks', reason: lacks };
  if (status.available) return { ...at, state: 'runs' };
  return { ...at, state: 'needs', reason: status.reason, ...(status.mend !== '' && { mend: status.mend }) };
}
