import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { CellSpec } from '../contract/cell.ts';
import type { Parameters } from '../contract/variant.ts';
import type { AttentionInputs } from '../contract/inputs.ts';
import { writeInputs } from '../inputs/captured.ts';
import { launchStage } from '../measure/launch.ts';
import { formatVariant } from '../variants/index.ts';
import { itemsOf } from './items.ts';
import type { Migration } from './migration.ts';
import { figureSchemas } from './steps.ts';
import type { ModelCandidate } from './subject.ts';

/** Sampling of one kernel: an estimate that the last comparison of whole models is there to check. */
const sampleSeconds = 0.5;

interface Kernel {
  readonly variant: string;
  readonly kernel: string;
  readonly parameters: Parameters;
}

/**
 * What each candidate is estimated to save at each site, seconds a call or bytes of peak memory by the goal, counted from the original, `[site][0, candidates…]`: kernels
 * alone, on what the site sees at the length of comparison. Sites of one shape are timed once. A kernel that cannot run there saves nothing and is not chosen.
 * Null where the original's kernel cannot run there.
 */
export async function siteSavings(migration: Migration, candidates: readonly ModelCandidate[]): Promise<Saving[][]> {
  const { sites, state } = migration;
  const captured = await captureAll(migration);
  const costs = new Map<string, number>();
  const rows: Saving[][] = [];
  for (const [site, { site: facts }] of sites.swappable) {
    const { path, inputs } = captured.get(site)!;
    const shape = JSON.stringify([inputs.shape, inputs.mask === undefined, inputs.bias?.dims, inputs.softcap, inputs.sinks === undefined]);
    const cost = async (kernel: Kernel): Promise<number> => {
      const key = `${shape} ${formatVariant(kernel)}`;
      const measure = async () => {
        const { goal, seed, threads, backend } = migration.settings;
        const of = { ...kernel, metric: goal, sampleSeconds, backend, threads, seed };
        const request = { of, files: async () => [path], schema: figureSchemas.kernel };
        return migration.figures.measured<number | null>(request, () => kernelCost(migration, kernel, { path, inputs }));
      };
      if (!costs.has(key)) costs.set(key, (await state.step(`tune/kernel/${site}/${formatVariant(kernel)}`, measure)) ?? Infinity);
      return costs.get(key)!;
    };
    const original = await cost({ variant: 'dense', kernel: facts.pattern === 'graph' ? 'naive' : 'fused', parameters: {} });
    const row: Saving[] = [0];
    for (const { replacements } of candidates) {
      const replacement = replacements.get(site);
      row.push(replacement === undefined ? 0 : savedBy(original, original < Infinity ? await cost(replacement) : Infinity));
    }
    rows.push(row);
  }
  return rows;
}

/** Seconds or bytes; null where it is not known. */
export type Saving = number | null;

/** Of costs that are infinite where a kernel cannot run. */
export function savedBy(original: number, cost: number): Saving {
  if (original === Infinity) return null;
  return cost === Infinity ? 0 : original - cost;
}

async function captureAll(migration: Migration): Promise<Map<number, { path: string; inputs: AttentionInputs }>> {
  const { subject, file, settings, state } = migration;
  const item = (await itemsOf(migration, 'calibration')).find(({ length }) => length === settings.compareAt)!;
  const captured = await subject.capture(item.feeds);
  const folder = resolve(state.folder, 'captured');
  await mkdir(folder, { recursive: true });
  const found = new Map<number, { path: string; inputs: AttentionInputs }>();
  for (const [site, inputs] of captured) {
    const path = join(folder, `site${site}-${settings.compareAt}.safetensors`);
    await writeInputs(path, inputs, { model: file.sha256, site: String(site), item: item.id });
    found.set(site, { path, inputs });
  }
  return found;
}

async function kernelCost(
  migration: Migration,
  kernel: Kernel,
  { path, inputs }: { path: string; inputs: AttentionInputs },
): Promise<number | null> {
  const { entry, settings, signal } = migration;
  const name = formatVariant(kernel);
  migration.progress('tune/saving', `${name} alone at ${inputs.shape.queries} tokens`);
  const cell: CellSpec = {
    id: name,
    variant: { name: kernel.variant, params: kernel.parameters },
    kernel: kernel.kernel,
    backend: settings.backend,
    shape: inputs.shape,
    inputs: `captured:${path}`,
    seed: settings.seed,
  };
  const threads = settings.threads === null ? {} : { threads: settings.threads };
  const stage = settings.goal;
  const request = { cell, adapterModule: entry.module, stage, sampleSeconds, wasteRows: 1, ...threads };
  const outcome = await launchStage(request, { timeoutSeconds: 120, signal });
  if (outcome.outcome === 'memory') return outcome.memory.peakDeviceBytes ?? outcome.memory.peakHostBytes;
  return outcome.outcome === 'latency' ? outcome.latency.medianNs / 1e9 : null;
}
