import { z } from 'zod';
import { dtypes } from './shape.ts';

const size = z.int().min(1);
const nanoseconds = z.number().min(0);
const bytes = z.number().min(0);

export const shapeSchema = z.object({
  batch: size,
  heads: size,
  kvHeads: size,
  queries: size,
  keys: size,
  headDim: size,
  causal: z.boolean(),
  dtype: z.enum(dtypes),
});

/** One thing to measure. */
export const cellSpecSchema = z.object({
  /** Unique within the run, readable, stable: the same cell has the same id in every run. */
  id: z.string().min(1).max(500),
  variant: z.object({ name: z.string(), params: z.record(z.string(), z.union([z.number(), z.string()])) }),
  kernel: z.string(),
  backend: z.string(),
  shape: shapeSchema,
  /** Present where the batch is of different requests, padded to one shape: as `2q2k_32q1s1k`. */
  requests: z.string().max(200).optional(),
  /** Present where a call is forward and backward; forward alone where absent. */
  pass: z.literal('forward+backward').optional(),
  inputs: z.string(),
  seed: z.int().min(0),
});
export type CellSpec = z.infer<typeof cellSpecSchema>;

/** `ok`: measured. `mismatch`: wrong output, so not timed. The others say why in `reason`. */
export const cellStatuses = ['ok', 'unsupported', 'mismatch', 'failed', 'timed-out'] as const;

export const latencySchema = z.object({
  medianNs: nanoseconds,
  p99Ns: nanoseconds,
  minNs: nanoseconds,
  madNs: nanoseconds,
  ciNs: z.object({ low: nanoseconds, high: nanoseconds, coverage: z.number() }),
  samplesNs: z.array(nanoseconds).readonly(),
  callsPerSample: size,
  stoppedBy: z.enum(['interval', 'budget']),
  warmup: z.object({
    callsPerSample: size,
    samples: z.int(),
    calls: z.int(),
    elapsedNs: nanoseconds,
    /** Null where there were too few samples to tell. */
    steady: z.boolean().nullable(),
    reason: z.string().optional(),
  }),
});

export const memorySchema = z.object({
  peakHostBytes: bytes,
  method: z.string(),
  peakDeviceBytes: bytes.nullable(),
  deviceMethod: z.string().nullable(),
});

/** How worker processes were started: forked from one that had imported their libraries, or anew. */
export const workersSchema = z.enum(['forked', 'fresh']);
export type Workers = z.infer<typeof workersSchema>;

const joulesPerCall = z.object({ mean: z.number(), low: z.number(), high: z.number() });

/** What counters say of blocks of calls. */
const countedEnergySchema = z.object({
  blocks: size,
  /** Blocks left out, as other processes were busy beside them. */
  voidBlocks: z.int().min(0),
  calls: size,
  grossJoules: joulesPerCall,
  /** Less what the idle machine takes in the same time. */
  aboveIdleJoules: joulesPerCall,
  idleWatts: z.number(),
});
export type CountedEnergy = z.infer<typeof countedEnergySchema>;

/** Of a device with a counter of its own, such as a whole GPU; no part of the packages. */
const deviceEnergySchema = z.union([
  z.object({ counter: z.string(), unavailable: z.string() }),
  countedEnergySchema.extend({ counter: z.string() }),
]);

/** Of one call, with 95 % intervals over blocks of calls; or why there is no figure of the processor packages. */
export const energySchema = z.union([
  z.object({ unavailable: z.string(), device: deviceEnergySchema.optional() }),
  z.object({
    method: z.literal('powercap'),
    /** Processor packages whose counters are added. */
    packages: z.array(z.string()),
    ...countedEnergySchema.shape,
    /** Of memory that has counters of its own; gross. */
    memoryJoules: joulesPerCall.optional(),
    device: deviceEnergySchema.optional(),
  }),
]);
export type Energy = z.infer<typeof energySchema>;

export const errorSchema = z.object({
  relative: z.number(),
  budget: z.number(),
  rowsChecked: z.int(),
  ambiguousRows: z.int(),
  /** Of a call forward and backward. */
  gradients: z.object({ relative: z.number(), budget: z.number() }).optional(),
});

export const dispatchSchema = z.object({
  operators: z.array(z.object({ operator: z.string(), provider: z.string(), calls: z.int(), totalNs: nanoseconds })).readonly(),
  flags: z.array(z.string()).readonly(),
});

export const workSchema = z.object({
  scoredPairs: z.number(),
  weightedPairs: z.number(),
  densePairs: z.number(),
  flops: z.number(),
  bytes: z.number(),
  /** Of a variant that keeps a running state instead of pairs. */
  stateBytes: z.number().optional(),
});

/** What became of a cell. */
export const cellRecordSchema = cellSpecSchema.extend({
  status: z.enum(cellStatuses),
  reason: z.string().max(20_000).optional(),
  latency: latencySchema.optional(),
  memory: memorySchema.optional(),
  energy: energySchema.optional(),
  work: workSchema.optional(),
  error: errorSchema.optional(),
  dispatch: dispatchSchema.optional(),
  waste: z.unknown().optional(),
  /** Absent where no worker computed, and in records of older versions. */
  workers: workersSchema.optional(),
  warnings: z.array(z.string()).default([]),
});
export type CellRecord = z.infer<typeof cellRecordSchema>;
