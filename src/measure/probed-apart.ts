import type { AdapterEntry, BackendStatus } from '../contract/adapter.ts';
import { launchStage } from './launch.ts';

/**
 * The entry with the status of its backends asked in a process of its own, once for all of them: what drivers print as they are tried stays
 * there, and one that crashes takes nothing else with it.
 */
export function probedApart(entry: AdapterEntry): AdapterEntry {
  let asked: Promise<(backend: string) => BackendStatus> | undefined;
  return {
    ...entry,
    async load() {
      const adapter = await entry.load();
      return { ...adapter, status: async (backend) => (await (asked ??= probe(entry)))(backend) };
    },
  };
}

async function probe({ backends, module }: AdapterEntry): Promise<(backend: string) => BackendStatus> {
  const answer = await launchStage({ stage: 'status', backends, adapterModule: module }, { timeoutSeconds: 120 });
  if (answer.outcome === 'status') return (backend) => answer.statuses[backend]!;
  const reason = 'reason' in answer ? answer.reason : `the worker answered ${answer.outcome}`;
  return () => ({ available: false, reason, mend: '' });
}
