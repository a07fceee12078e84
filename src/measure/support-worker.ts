import { supportOf } from '../conformance/support.ts';
import type { BackendSupport } from '../conformance/support.ts';
import type { AdapterEntry } from '../contract/adapter.ts';
import { loadAdapter } from '../loading/adapter.ts';
import { questions, reply } from './channel.ts';
import { describeFault } from './fault.ts';

export interface SupportRequest {
  readonly adapters: ReadonlyArray<Omit<AdapterEntry, 'load'>>;
}
export type SupportAnswer = { readonly found: readonly BackendSupport[] } | { readonly failure: string };

// What adapters run here, in a process that loads nothing that a cell needs beside.
for await (const { adapters } of questions<SupportRequest>()) {
  const entries = adapters.map((entry) => ({ ...entry, load: () => loadAdapter(entry.module) }));
  await reply(
    await supportOf(entries).then(
      (found): SupportAnswer => ({ found }),
      (error: unknown): SupportAnswer => ({ failure: describeFault(error).reason }),
    ),
  );
  process.exit(0);
}
