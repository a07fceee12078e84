import { z } from 'zod';
import type { Workers } from '../contract/cell.ts';
import { digits, size } from '../text/figures.ts';
import { clip } from '../text/layout.ts';
import { oneLine } from '../text/untrusted.ts';
import type { Section, Term } from './document.ts';

const known = z.object({
  cpu: z
    .object({
      model: z.string(),
      physicalCores: z.number().nullish(),
      logicalCores: z.number(),
      caches: z.object({ l1dBytes: z.number().nullish(), l2Bytes: z.number().nullish(), l3Bytes: z.number().nullish() }).optional(),
      governor: z.string().nullish(),
      turbo: z.boolean().nullish(),
    })
    .optional(),
  availableCores: z.number().optional(),
  container: z.object({ cpus: z.number().nullish() }).optional(),
  memoryBytes: z.number().optional(),
  gpus: z.array(z.object({ model: z.string(), driver: z.string().nullish() })).default([]),
  os: z
    .object({
      platform: z.string(),
      arch: z.string(),
      distribution: z.string().optional(),
      release: z.string().optional(),
      kernel: z.string().optional(),
    })
    .optional(),
  virtualisation: z.string().nullish(),
  volatile: z.object({ loadAverages: z.array(z.number()).nullish(), cpuMhz: z.number().nullish() }).optional(),
  fingerprint: z
    .object({ sha256: z.string(), identity: z.object({ versions: z.record(z.string(), z.string()).optional() }).optional() })
    .optional(),
});

/**
 * The machine, what ran on it, and what may have disturbed the measurement. Any of it may be absent from a record.
 * @param measured cells or blocks, which say how their workers were started
 */
export function hostSection(
  host: unknown,
  warnings: readonly string[],
  measured: ReadonlyArray<{ readonly workers?: Workers | undefined }> = [],
): Section {
  const terms = [...hostTerms(host), ...workersTerm(measured)];
  const noise = warnings.map((text) => clip(oneLine(text), 600));
  return {
    id: 'host',
    title: 'Machine',
    parts: [
      { kind: 'terms', terms: terms.length === 0 ? [{ term: 'host', text: 'not described in the record' }] : terms },
      ...(noise.length === 0 ? [] : [{ kind: 'notes' as const, lines: noise.map((text) => `Warning: ${text}`) }]),
    ],
  };
}

/** Warnings that are told at the top; the machine's section has all. */
const mostAlerts = 3;

/** What may have disturbed the measurement, in one sentence for the top of a page; none where the machine was quiet. */
export function noiseAlerts(warnings: readonly string[]): string[] {
  if (warnings.length === 0) return [];
  const told = warnings.slice(0, mostAlerts).map((text) => clip(oneLine(text), 200));
  const left = warnings.length - told.length;
  return [`The machine was not quiet: ${told.join('; ')}${left > 0 ? `; and ${left} more, listed under Machine` : ''}.`];
}

const started: Record<Workers, string> = { forked: 'forked from a process that had imported their libraries', fresh: 'started anew' };

function workersTerm(measured: ReadonlyArray<{ readonly workers?: Workers | undefined }>): Term[] {
  const ways = [...new Set(measured.flatMap(({ workers }) => workers ?? []))];
  return ways.length === 0
    ? []
    : [{ term: 'workers', text: ways.length === 1 ? started[ways[0]!] : `some ${started.forked}, others ${started.fresh}` }];
}

function hostTerms(host: unknown): Term[] {
  const parsed = known.safeParse(host);
  if (!parsed.success) return [];
  const { cpu, availableCores, container, memoryBytes, gpus, os, virtualisation, volatile, fingerprint } = parsed.data;
  const caches = [cpu?.caches?.l1dBytes, cpu?.caches?.l2Bytes, cpu?.caches?.l3Bytes].map((bytes) =>
    bytes === null || bytes === undefined ? '?' : size(bytes),
  );
  const versions = Object.entries(fingerprint?.identity?.versions ?? {}).map(([name, version]) => `${name} ${version}`);
  const turbo = cpu?.turbo === null || cpu?.turbo === undefined ? '' : cpu.turbo ? ', turbo on' : ', turbo off';
  const rows: Array<[string, string | undefined]> = [
    [
      'processor',
      cpu &&
        `${cpu.model}: ${cpu.physicalCores ?? '?'} physical, ${cpu.logicalCores} logical cores${availableCores === undefined ? '' : `, ${availableCores} available`}`,
    ],
    ['CPU quota', container?.cpus ? `the time of ${digits(container.cpus)} processors` : undefined],
    ['caches', cpu?.caches && `L1d ${caches[0]}, L2 ${caches[1]}, L3 ${caches[2]}`],
    [
      'frequency',
      cpu &&
        `governor ${cpu.governor ?? 'not visible'}${turbo}${volatile?.cpuMhz === null || volatile?.cpuMhz === undefined ? '' : `, ${digits(volatile.cpuMhz)} MHz at the start`}`,
    ],
    ['memory', memoryBytes === undefined ? undefined : size(memoryBytes)],
    [
      'GPU',
      gpus.length === 0 ? 'none visible' : gpus.map(({ model, driver }) => `${model}${driver ? ` (driver ${driver})` : ''}`).join('; '),
    ],
    ['system', os && [os.platform, os.arch, os.distribution, os.release, os.kernel && `kernel ${os.kernel}`].filter(Boolean).join(' ')],
    ['virtualization', virtualisation ?? undefined],
    ['load at the start', volatile?.loadAverages?.map(digits).join(', ')],
    ['versions', versions.length === 0 ? undefined : versions.join(', ')],
    ['fingerprint', fingerprint?.sha256.slice(0, 12)],
  ];
  return rows.flatMap(([term, text]) => (text === undefined ? [] : [{ term, text: clip(oneLine(text), 600) }]));
}
