import { z } from 'zod';
import type { RunRecord } from '../../contract/run.ts';
import type { Identity } from '../../measure/fingerprint.ts';
import { size } from '../../text/figures.ts';

/** What a field belongs to. All but `measuring` says what a ratio compares; that says how far the figures can be trusted. */
export type DifferenceKind = 'host' | 'version' | 'suite' | 'measuring';

/** A field in which records differ, told for each of them. */
export interface Difference {
  readonly kind: DifferenceKind;
  readonly field: string;
  /** One a record, in their order; `not described` where it does not say. */
  readonly values: readonly string[];
}

const notDescribed = 'not described';

type Told = string | null;
type Field = readonly [kind: DifferenceKind, field: string, values: readonly Told[]];

const text = z.string();
const amount = z.number();
/** What a record may leave out, or say in a way of its own: then that field alone is not described. */
const identitySchema = z.object({
  cpu: text.optional().catch(undefined),
  physicalCores: amount.nullish().catch(undefined),
  logicalCores: amount.optional().catch(undefined),
  availableCores: amount.optional().catch(undefined),
  memoryClassGib: amount.optional().catch(undefined),
  gpus: z.array(text).optional().catch(undefined),
  system: text.optional().catch(undefined),
  kernelMajor: text.optional().catch(undefined),
  cpuLimit: amount.nullish().catch(undefined),
  memoryLimitBytes: amount.nullish().catch(undefined),
  governor: text.nullish().catch(undefined),
  turbo: z.boolean().nullish().catch(undefined),
  versions: z.record(text, text).optional().catch(undefined),
});
type KnownIdentity = z.infer<typeof identitySchema>;

const hostSchema = z.object({ fingerprint: z.object({ sha256: text.optional().catch(undefined), identity: identitySchema }) });

/** How a field of an identity is called and told. */
const hostFields: {
  readonly [Key in Exclude<keyof Identity, 'versions'>]: readonly [string, (value: Exclude<Identity[Key], undefined>) => string];
} = {
  cpu: ['CPU model', (model) => model],
  physicalCores: ['physical cores', (cores) => (cores === null ? 'not visible' : String(cores))],
  logicalCores: ['logical cores', String],
  availableCores: ['cores available', String],
  memoryClassGib: ['memory', (gib) => `${gib} GiB`],
  gpus: ['GPUs', (gpus) => (gpus.length === 0 ? 'none' : gpus.join('; '))],
  system: ['system', (system) => system],
  kernelMajor: ['kernel', (version) => version],
  cpuLimit: ['CPU limit', (limit) => (limit === null ? 'none' : `${limit} processors`)],
  memoryLimitBytes: ['memory limit', (bytes) => (bytes === null ? 'none' : size(bytes))],
  governor: ['frequency governor', (governor) => governor ?? 'not visible'],
  turbo: ['turbo', (turbo) => (turbo === null ? 'not visible' : turbo ? 'on' : 'off')],
};

interface DescribedHost {
  readonly identity: KnownIdentity;
  readonly sha256: Told;
}

/** The host's part of a record, as far as it can be read; null where it is not described. */
export function describedHost(run: Pick<RunRecord, 'host'>): DescribedHost | null {
  const parsed = hostSchema.safeParse(run.host);
  if (!parsed.success) return null;
  const { sha256, identity } = parsed.data.fingerprint;
  return { identity, sha256: sha256 ?? null };
}

/** Every field in which the records differ as far as they tell: host, versions, suite, then how it was measured. */
export function differencesOf(runs: readonly RunRecord[]): Difference[] {
  const hosts = runs.map(describedHost);
  const fields: Field[] = [...fieldsOfHosts(hosts), ...versions(runs, hosts), ...suites(runs), ...measuring(runs)];
  const differing = fields.filter(([, , values]) => new Set(values.filter((value) => value !== null)).size > 1);
  const told = differing.map(([kind, field, values]) => ({ kind, field, values: values.map((value) => value ?? notDescribed) }));
  return [...described(hosts), ...told, ...hashes(hosts, told)];
}

function fieldsOfHosts(hosts: ReadonlyArray<DescribedHost | null>): Field[] {
  return (Object.keys(hostFields) as Array<keyof typeof hostFields>).map((key) => {
    const [field, tell] = hostFields[key] as readonly [string, (value: unknown) => string];
    return ['host', field, hosts.map((host) => (host?.identity[key] === undefined ? null : tell(host.identity[key])))];
  });
}

/** Node and every backend by name; attnswap's own is the record's. */
function versions(runs: readonly RunRecord[], hosts: ReadonlyArray<DescribedHost | null>): Field[] {
  const names = new Set(hosts.flatMap((host) => Object.keys(host?.identity.versions ?? {})));
  names.delete('attnswap');
  const fields = [...names].map((name): Field => {
    const values = hosts.map((host) => {
      const known = host?.identity.versions;
      if (known === undefined) return null;
      return Object.hasOwn(known, name) ? known[name]! : 'not used';
    });
    return ['version', `version of ${name}`, values];
  });
  return [['version', 'version of attnswap', runs.map(({ tool }) => tool.version)], ...fields];
}

function suites(runs: readonly RunRecord[]): Field[] {
  const backends = ({ cells }: RunRecord) => [...new Set(cells.map(({ backend }) => backend))].toSorted().join(', ') || 'none';
  return [
    ['suite', 'suite', runs.map(({ suite }) => suite.name)],
    ['suite', 'suite file (SHA-256)', runs.map(({ suite }) => suite.sha256.slice(0, 12))],
    ['suite', 'reference kernel', runs.map(({ suite }) => suite.reference)],
    ['suite', 'backends', runs.map(backends)],
    ['suite', 'threads', runs.map(({ command }) => threadsOf(command))],
  ];
}

function measuring(runs: readonly RunRecord[]): Field[] {
  const unsteady = ({ cells }: RunRecord) =>
    String(cells.filter(({ latency }) => latency !== undefined && latency.warmup.steady !== true).length);
  const unsettled = ({ cells }: RunRecord) => String(cells.filter(({ latency }) => latency?.stoppedBy === 'budget').length);
  return [
    ['measuring', 'warnings of noise', runs.map(({ warnings }) => warnings.join('; ') || 'none')],
    ['measuring', 'cells whose latency was not found to be steady', runs.map(unsteady)],
    ['measuring', 'cells whose time ran out before their interval was narrow', runs.map(unsettled)],
  ];
}

function threadsOf(command: readonly string[]): string {
  const at = command.findLastIndex((word) => word === '--threads' || word.startsWith('--threads='));
  if (at < 0) return 'not set';
  return command[at]!.split('=')[1] ?? command[at + 1] ?? 'not set';
}

/** Said once where some records describe their host and others do not. */
function described(hosts: ReadonlyArray<DescribedHost | null>): Difference[] {
  if (hosts.every((host) => host === null) || !hosts.includes(null)) return [];
  return [{ kind: 'host', field: 'host', values: hosts.map((host) => (host === null ? notDescribed : 'described')) }];
}

/** Fingerprints that differ in what this version does not read. */
function hashes(hosts: ReadonlyArray<DescribedHost | null>, told: readonly Difference[]): Difference[] {
  const known = hosts.flatMap((host) => host?.sha256 ?? []);
  if (new Set(known).size < 2 || told.some(({ kind }) => kind === 'host' || kind === 'version')) return [];
  return [{ kind: 'host', field: 'fingerprint', values: hosts.map((host) => host?.sha256?.slice(0, 12) ?? notDescribed) }];
}
