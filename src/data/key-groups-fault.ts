import type { z } from 'zod';
import { keyGroupSchema, mostKeyGroups } from '../contract/key-groups.ts';
import type { KeyGroup } from '../contract/key-groups.ts';
import { shown } from './check-tensor.ts';

/** Why something is no group of keys; undefined where it is one. */
export function keyGroupFault(group: unknown, schema: z.ZodType<KeyGroup> = keyGroupSchema): string | undefined {
  const { data, error } = schema.safeParse(group);
  if (data !== undefined) return data.from < data.to ? undefined : 'from is not below to';
  const { path, message } = error!.issues[0]!;
  return path.length === 0 ? message : `${path.join('.')}: ${message}`;
}

/** Why these are no groups of so many keys: there are none, a range is none, ends past the keys or overlaps another, or a name is used twice. */
export function keyGroupsFault(groups: readonly KeyGroup[], keys: number): string | undefined {
  if (!Array.isArray(groups)) return `groups is ${shown(groups)}, expected a list of groups { name, from, to }`;
  if (groups.length === 0 || groups.length > mostKeyGroups) return `${groups.length} groups of keys, expected 1 to ${mostKeyGroups}`;
  const wrong = groups.findIndex((group) => keyGroupFault(group) !== undefined);
  if (wrong >= 0)
    return `got ${shown(groups[wrong])}, expected a group { name, from, to } with 0 ≤ from < to: ${keyGroupFault(groups[wrong])}`;
  const sorted = groups.toSorted((a, b) => a.from - b.from);
  for (const [at, { name, from, to }] of sorted.entries()) {
    if (to > keys) return `group ${JSON.stringify(name)} ends at ${to}, expected at most ${keys}, the number of keys`;
    const before = sorted[at - 1];
    if (before === undefined || before.to <= from) continue;
    return `groups ${JSON.stringify(before.name)} (${before.from} to ${before.to}) and ${JSON.stringify(name)} (${from} to ${to}) overlap`;
  }
  const repeated = groups.find(({ name }, at) => groups.findIndex((other) => other.name === name) < at);
  return repeated === undefined ? undefined : `two groups are called ${JSON.stringify(repeated.name)}`;
}
