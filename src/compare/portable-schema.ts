import { z } from 'zod';
import type { Metric } from '../contract/verdict.ts';

/** Figures that mean something on another machine. Those of waste, error and pairs carry no noise, and are judged; the others are shown. */
export const portableMetrics = ['waste', 'error', 'scored-pairs', 'memory-growth', 'ratio-to-reference'] as const satisfies Metric[];

/** Figures of promoted runs that carry from machine to machine, without the runs. */
export const portableSchema = z.object({
  suite: z.object({ name: z.string().max(500), sha256: z.string().max(100) }),
  tool: z.string().max(100),
  /** Where they were measured. */
  host: z.object({ cpu: z.string().max(500), availableCores: z.int(), system: z.string().max(500) }),
  promotedAt: z.iso.datetime(),
  by: z.string().max(200),
  reason: z.string().min(1).max(2000),
  runs: z.int().min(1),
  declared: z.array(z.string().max(500)).max(10_000),
  /** By cell, then by metric: medians over the runs, in the metric's unit. */
  figures: z.record(z.string().max(700), z.partialRecord(z.enum(portableMetrics), z.number())),
});
export type Portable = z.infer<typeof portableSchema>;
