import type { Dispatch } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import { itemsOf } from './items.ts';
import type { Migration } from './migration.ts';

/** What one call of a model's file runs on its device, at the length of comparison; null where the runtime does not tell of whole models, or fails to. */
export async function dispatchOf(migration: Migration, name: string, model: string): Promise<Dispatch | null> {
  const { settings, state, subject } = migration;
  const step = `dispatch/${name}`;
  return state.step(step, async () => {
    const item = (await itemsOf(migration, 'judging')).find(({ length }) => length === settings.compareAt)!;
    try {
      return (await subject.dispatch?.(model, item.feeds)) ?? null;
    } catch (error) {
      if (error instanceof AttnswapError && error.code === 'INTERRUPTED') throw error;
      migration.progress(step, `it is not known which operators ran: ${(error as Error).message}`);
      return null;
    }
  });
}
