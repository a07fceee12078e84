import { z } from 'zod';

/** Keys that come from one source, such as the patches of an image: from `from` up to `to`, which is not one of them. */
export const keyGroupSchema = z.strictObject({ name: z.string().min(1).max(100), from: z.int().min(0), to: z.int().min(1) });
export type KeyGroup = z.infer<typeof keyGroupSchema>;

/** Groups of the keys of some attention sites, by number; of all where none are given. */
export const siteKeyGroupSchema = keyGroupSchema.extend({ sites: z.array(z.int().min(0)).min(1).readonly().exactOptional() });
export type SiteKeyGroup = z.infer<typeof siteKeyGroupSchema>;

/** Groups of one attention's keys. */
export const mostKeyGroups = 32;

/** Why these are no groups of so many keys: there are none, a range is none, ends past the keys or overlaps another, or a name is used twice. */
export function keyGroupsFault(groups: readonly KeyGroup[], keys: number): string | undefined {
  if (groups.length === 0 || groups.length > mostKeyGroups) return `${groups.length} groups of keys, expected 1 to ${mostKeyGroups}`;
  const wrong = groups.find((group) => !keyGroupSchema.safeParse(group).success || group.from >= group.to);
  if (wrong !== undefined) return `got ${shown(wrong)}, expected a group { name, from, to } with 0 ≤ from < to`;
  const sorted = groups.toSorted((a, b) => a.from - b.from);
  for (const [at, { name, from, to }] of sorted.entries()) {
    if (to > keys) return `group ${shown(name)} ends at ${to}, expected at most ${keys}, the number of keys`;
    const before = sorted[at - 1];
    if (before === undefined || before.to <= from) continue;
    return `groups ${shown(before.name)} (${before.from} to ${before.to}) and ${shown(name)} (${from} to ${to}) overlap`;
  }
  const repeated = groups.find(({ name }, at) => groups.findIndex((other) => other.name === name) < at);
  return repeated === undefined ? undefined : `two groups are called ${shown(repeated.name)}`;
}

function shown(value: unknown): string {
  return JSON.stringify(value).slice(0, 200);
}
