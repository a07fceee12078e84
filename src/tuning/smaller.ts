import type { Tuning } from '../contract/tuning.ts';

/** Trainers that take several times as long as those in native code. */
export const slowTrainers: readonly string[] = ['tfjs-wasm', 'tfjs-cpu'];

/** What a slow trainer gets where the suite does not say: one trial of each candidate, two seeds. */
const smallerByDefault: NonNullable<Tuning['smaller']> = { search: { trials: 1, seeds: 2 } };

/** A tuning with the budget that a slow trainer can spend, and what is smaller in it, in words; never more than the suite's own. */
export function smallerTuning(tuning: Tuning): { readonly tuning: Tuning; readonly changes: readonly string[] } {
  const smaller = tuning.smaller ?? smallerByDefault;
  const changes: string[] = [];
  const reduced = <T extends object>(part: 'items' | 'training' | 'search', whole: T): T => {
    const given = Object.entries<number>(smaller[part] ?? {});
    const less = given.filter(([name, value]) => value < Number(whole[name as keyof T]));
    for (const [name, value] of less) changes.push(`${part}.${name} ${value} instead of ${String(whole[name as keyof T])}`);
    return { ...whole, ...Object.fromEntries(less) };
  };
  const { items, training, search } = tuning;
  return {
    tuning: { ...tuning, items: reduced('items', items), training: reduced('training', training), search: reduced('search', search) },
    changes,
  };
}
