import type { CellRecord } from '../contract/cell.ts';
import { formatVariant, variants } from '../variants/index.ts';
import { wasteReportSchema } from '../waste/schema.ts';
import type { WasteReport } from '../waste/schema.ts';

/** The variant of a cell as a user writes it; a variant that this version does not know, with all its parameters. */
export function nameOf({ variant, kernel }: Pick<CellRecord, 'variant' | 'kernel'>): string {
  const { name, params } = variant;
  if (variants.some((known) => known.name === name)) return formatVariant({ variant: name, kernel, parameters: params });
  const list = Object.entries(params).map(([key, value]) => `${key}=${value}`);
  return `${name}.${kernel}${list.length === 0 ? '' : `:${list.join(',')}`}`;
}

/** The share of scored products that the smallest sets holding 95 % of the mass do without, and the dense mass missed. */
export function wasteOf(cell: CellRecord): { waste: number | null; missed: number | null } {
  const report = wasteReportOf(cell);
  if (report === null) return { waste: null, missed: null };
  const { kernelWaste, missedMass } = report.overall;
  return { waste: kernelWaste.p95?.value ?? null, missed: missedMass?.value ?? null };
}

/** How many times faster than the reference cell of the same group; null unless both were measured well. */
export function speedUp(cell: CellRecord, group: readonly CellRecord[], reference: string): number | null {
  const timed = (each: CellRecord | undefined) =>
    each?.status === 'ok' && each.latency !== undefined && each.latency.medianNs > 0 ? each.latency.medianNs : undefined;
  const [base, own] = [timed(group.find((other) => nameOf(other) === reference)), timed(cell)];
  return base === undefined || own === undefined ? null : base / own;
}

/** A cell's waste report; null where it has none that can be read. */
export function wasteReportOf(cell: Pick<CellRecord, 'waste'>): WasteReport | null {
  const report = wasteReportSchema.safeParse(cell.waste);
  return report.success ? report.data : null;
}

/** Peak bytes: the device's where it has memory of its own, else the host's. */
export function peakOf({ memory }: Pick<CellRecord, 'memory'>): number | undefined {
  return memory?.peakDeviceBytes ?? memory?.peakHostBytes;
}

/** Marks a latency whose samples drifted, or were too few to tell. */
export function steadyMark(steady: boolean | null): string {
  if (steady === null) return ' †';
  return steady ? '' : ' *';
}

/** What the marks among these latencies mean. */
export function markNotes(marked: ReadonlyArray<boolean | null>): string[] {
  return [
    ...(marked.includes(false) ? ['*: the latency did not become steady; treat it with caution.'] : []),
    ...(marked.includes(null) ? ['†: too few samples to tell whether the latency is steady.'] : []),
  ];
}

/** What a cell shares with those that it is shown beside: `onnx-cpu · 8 heads × 64 · causal · f32 · calibrated`, with its length where asked for. */
export function settingOf({ backend, shape, requests, pass, inputs }: CellRecord, { length = false } = {}): string {
  const { batch, heads, kvHeads, queries, keys, headDim, causal, dtype } = shape;
  const tokens = queries === keys ? `${queries} tokens` : `${queries} queries × ${keys} keys`;
  return [
    backend,
    ...(length ? [tokens] : []),
    ...(batch === 1 ? [] : [requests === undefined ? `batch ${batch}` : `batch of ${requests}`]),
    `${heads}${kvHeads === heads ? '' : `/${kvHeads}`} heads × ${headDim}`,
    causal ? 'causal' : 'full',
    dtype,
    ...(pass === undefined ? [] : [pass]),
    inputs,
  ].join(' · ');
}
