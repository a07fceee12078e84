import type { Dispatch } from '../contract/adapter.ts';
import { itemsOf } from './items.ts';
import type { Migration } from './migration.ts';

/** What one call of a model's file runs on its device, at the length of comparison; null where the runtime does not tell of whole models. */
export async function dispatchOf(migration: Migration, name: string, model: string): Promise<Dispatch | null> {
  const { settings, state, subject } = migration;
  return state.step(`dispatch/${name}`, async () => {
    const item = (await itemsOf(migration, 'judging')).find(({ length }) => length === settings.compareAt)!;
    return (await subject.dispatch?.(model, item.feeds)) ?? null;
  });
}
