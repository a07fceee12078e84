import type { AdapterEntry } from '../contract/adapter.ts';
import type { RunRecord } from '../contract/run.ts';
import { launchStage } from './launch.ts';

/** What each backend's own operators reach on this machine, each in a process of its own; a backend that gives none is left out. */
export async function measureCeilings(
  entries: readonly AdapterEntry[],
  backends: readonly string[],
  options: { readonly threads?: number | undefined; readonly signal?: AbortSignal | undefined },
): Promise<RunRecord['ceilings']> {
  const { threads, signal } = options;
  const found: RunRecord['ceilings'] = {};
  for (const backend of backends) {
    const entry = entries.find((each) => each.backends.includes(backend));
    if (entry === undefined) continue;
    const request = { stage: 'ceilings', backend, adapterModule: entry.module, threads } as const;
    const outcome = await launchStage(request, { timeoutSeconds: 60, signal });
    if (outcome.outcome === 'ceilings' && outcome.ceilings.length > 0) found[backend] = [...outcome.ceilings];
  }
  return found;
}
