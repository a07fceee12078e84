import { z } from 'zod';
import type { Identity } from './fingerprint.ts';

/** How a part of an identity is called. */
const names: Readonly<Record<Exclude<keyof Identity, 'versions'>, string>> = {
  cpu: 'CPU model',
  physicalCores: 'number of physical cores',
  logicalCores: 'number of logical cores',
  availableCores: 'number of available cores',
  memoryClassGib: 'memory in GiB',
  gpus: 'GPUs',
  system: 'operating system',
  kernelMajor: 'major version of the kernel',
  cpuLimit: 'CPU limit of the container',
  memoryLimitBytes: 'memory limit of the container',
  governor: 'frequency governor',
  turbo: 'turbo',
};

/** The missing part of a host's description, and what of the identity came from it. */
const cameFrom: Readonly<Record<string, ReadonlyArray<keyof typeof names>>> = {
  cpu: ['cpu', 'physicalCores'],
  os: ['system'],
  gpus: ['gpus'],
};

const describedSchema = z.object({
  fingerprint: z.object({
    sha256: z.string(),
    identity: z.record(z.string(), z.unknown()).default({}),
  }),
  missing: z.array(z.object({ part: z.string() })).default([]),
});

export interface HostComparison {
  /** Parts that differ, with both values; none where the hosts are one as far as they tell. */
  readonly differing: readonly string[];
  /** Parts that either record could not read: they are not compared. */
  readonly unknown: readonly string[];
}

/** Compares hosts as records hold them, of this version or an earlier one, part by part. */
export function compareHosts(before: unknown, now: unknown): HostComparison {
  const [old, fresh] = [before, now].map(partsOf);
  if (old === undefined || fresh === undefined) return { differing: ['the host is not described'], unknown: [] };
  if (old.sha256 === fresh.sha256) return { differing: [], unknown: [] };
  if (old.parts.size === 0 || fresh.parts.size === 0)
    return { differing: ['the fingerprint (one of the two records does not list its parts)'], unknown: [] };
  const known = [...new Set([...old.parts.keys(), ...fresh.parts.keys()])];
  const isUnknown = (name: string) => [old, fresh].some(({ unread }) => unread.has(name));
  const differing = known
    .filter((name) => !isUnknown(name) && old.parts.get(name) !== fresh.parts.get(name))
    .map((name) => `the ${name} (${old.parts.get(name) ?? 'none'} before, ${fresh.parts.get(name) ?? 'none'} now)`);
  const unknown = Object.values(names).filter(isUnknown);
  return { differing: differing.length + unknown.length > 0 ? differing : ['a part unknown to this version'], unknown };
}

/**
 * Items by the host that their record describes, most complete descriptions first. Descriptions that lack a part join the only host that they do not differ
 * from, and stay alone where there are several.
 */
export function groupByHost<Item>(items: readonly Item[], hostOf: (item: Item) => unknown): Item[][] {
  const parts = new Map(items.map((item) => [item, partsOf(hostOf(item))]));
  const described = [...Map.groupBy(items, (item) => parts.get(item)?.sha256).values()];
  const unread = (alike: readonly Item[]) => parts.get(alike[0]!)?.unread.size ?? 0;
  const isSame = (one: Item, other: Item) => compareHosts(hostOf(one), hostOf(other)).differing.length === 0;
  const hosts: Item[][] = [];
  for (const alike of described.toSorted((a, b) => unread(a) - unread(b))) {
    const same = hosts.filter((members) => members.every((member) => isSame(member, alike[0]!)));
    if (same.length === 1) same[0]!.push(...alike);
    else hosts.push(alike);
  }
  return hosts;
}

interface Parts {
  readonly sha256: string;
  /** JSON by name. */
  readonly parts: ReadonlyMap<string, string>;
  readonly unread: ReadonlySet<string>;
}

function partsOf(host: unknown): Parts | undefined {
  const parsed = describedSchema.safeParse(host);
  if (!parsed.success) return undefined;
  const { fingerprint, missing } = parsed.data;
  const { versions = {}, ...identity } = fingerprint.identity as Partial<Identity>;
  if (Object.keys(identity).length === 0) return { sha256: fingerprint.sha256, parts: new Map(), unread: new Set() };
  // Records of earlier versions hold a stand-in for what they could not read, and say in `missing` that they could not.
  const lost = new Set(missing.flatMap(({ part }) => cameFrom[part] ?? []));
  const fields = Object.keys(names) as Array<keyof typeof names>;
  const unread = fields.filter(
    (field) => lost.has(field) || identity[field] === undefined || (field === 'physicalCores' && identity[field] === null),
  );
  const parts = fields.map((field) => [names[field], JSON.stringify(identity[field] ?? null)] as const);
  const versionParts = Object.entries(versions).map(([name, version]) => [`version of ${name}`, JSON.stringify(version)] as const);
  return {
    sha256: fingerprint.sha256,
    parts: new Map([...parts, ...versionParts]),
    unread: new Set(unread.map((field) => names[field])),
  };
}
