import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { siteOf } from '../dashboard/site.ts';
import { writeWhole } from '../files/whole-file.ts';
import { reportPage } from '../report/html/page.ts';
import { partsOf } from '../store/parts.ts';
import type { StoreOptions } from './baseline.ts';
import { defaults } from './defaults.ts';
import type { OperationOptions } from './options.ts';

export interface DashboardOptions extends StoreOptions, Pick<OperationOptions, 'onProgress' | 'signal'> {
  /** Output folder. */
  readonly out: string;
  /** Rewrites the pages whenever something is added to the store, until `signal` is aborted. @default false */
  readonly watch?: boolean | undefined;
  /** Called each time the pages are written. */
  readonly onBuilt?: ((record: DashboardRecord) => void) | undefined;
}

export interface DashboardRecord {
  /** Pages written; open the first one. */
  readonly files: readonly string[];
}

/** How often the store is looked at. */
const pollMs = 1000;

/**
 * Writes the store as static pages, which open from the disk and load nothing.
 * @throws FILE_UNREADABLE where nothing is stored; INVALID_STORE, INVALID_RUN, INVALID_VERDICT, FILE_UNWRITABLE; INTERRUPTED where it watches
 */
export async function dashboard(options: DashboardOptions): Promise<DashboardRecord> {
  const { store = defaults.store, watch = false, signal, onBuilt } = options;
  for (;;) {
    const parts = await partsOf(store);
    const record = await build(store, options);
    onBuilt?.(record);
    if (!watch) return record;
    while ((await partsOf(store)).join() === parts.join()) await pause(signal);
  }
}

async function build(store: string, { out, signal, onProgress }: DashboardOptions): Promise<DashboardRecord> {
  const pages = await siteOf(store);
  const files: string[] = [];
  for (const [name, report] of pages) {
    signal?.throwIfAborted();
    onProgress?.({ what: report.title, done: files.length, total: pages.size });
    const file = join(out, name);
    await writeWhole(file, await reportPage(report));
    files.push(file);
  }
  return { files };
}

async function pause(signal: AbortSignal | undefined): Promise<void> {
  await setTimeout(pollMs, undefined, signal && { signal }).catch(() => undefined);
  signal?.throwIfAborted();
}
