import type { Item } from '../contract/data.ts';
import type { ItemDrift } from '../quality/drift.ts';
import { driftTail } from '../quality/drift-summary.ts';
import { watchDrift, watchExact } from '../quality/watch.ts';
import type { Watch } from '../quality/watch.ts';
import { tunableMargins } from './decide.ts';
import type { Exactness } from './exactness.ts';
import { byChance } from './items.ts';
import type { MigrationSettings } from './migration.ts';

/** Whether quality is judged on no more items than are needed. What training brings back is told as a share of what was lost: then all items count. */
export function isWatched({ allItems, recover }: Pick<MigrationSettings, 'allItems' | 'recover'>): boolean {
  return allItems !== true && recover === undefined;
}

export interface WatchedDrift {
  /** In the order in which they are compared. */
  readonly items: readonly Item[];
  /** Tells when drift is known well enough; null where all items count. */
  readonly watch: Watch<ItemDrift> | null;
}

/** How the items are compared that a candidate's drift is judged on. */
export function watchedDrift(
  settings: Pick<MigrationSettings, 'allItems' | 'recover' | 'qualityMargin' | 'seed'>,
  given: readonly Item[],
  exactness: Exactness | null,
): WatchedDrift {
  const { qualityMargin: share, seed } = settings;
  const drawn = byChance(given, seed);
  if (!isWatched(settings)) return { items: drawn, watch: null };
  if (exactness === null) return { items: drawn, watch: watchDrift({ hopeless: tunableMargins * share }, driftTail) };
  // What need be no fault is judged like any other, on all items.
  return { items: drawn, watch: exactness.exception === null ? watchExact(exactness.tolerance) : null };
}
