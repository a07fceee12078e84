import { z } from 'zod';

const count = z.int().nonnegative();
const text = z.string();

const gpuSchema = z.object({
  model: text,
  vendor: text,
  /** The driver's version where it tells, else its name. */
  driver: text.nullable(),
  memoryBytes: count.nullable(),
});

/** What the control group allows; null where it sets no limit. */
const containerLimitsSchema = z.object({
  cgroup: z.enum(['v1', 'v2']).nullable(),
  /** Processors' worth of time: quota / period. */
  cpus: z.number().positive().nullable(),
  memoryBytes: count.nullable(),
});

const heavyProcessSchema = z.object({
  pid: count,
  name: text,
  /** Processors kept busy: 1 is one whole core. */
  cores: z.number().nonnegative(),
});

/** What changes from hour to hour: recorded and warned about, no part of the fingerprint. */
const volatileSchema = z.object({
  cpuMhz: z.number().nullable(),
  /** ISO 8601. */
  bootTime: text,
  freeMemoryBytes: count,
  /** Over 1, 5 and 15 minutes; null where the system keeps none. */
  loadAverages: z.tuple([z.number(), z.number(), z.number()]).nullable(),
  heavyProcesses: z.array(heavyProcessSchema),
  battery: z.object({ discharging: z.boolean(), percent: z.number() }).nullable(),
  temperatureCelsius: z.number().nullable(),
});

/** A machine as a run record describes it. No names of hosts or users, no serial numbers. */
export const hostSchema = z.object({
  cpu: z.object({
    model: text,
    physicalCores: count.nullable(),
    logicalCores: count,
    /** One instance of each; in older records of Linux hosts, the sum of all instances. */
    caches: z.object({ l1dBytes: count.nullable(), l1iBytes: count.nullable(), l2Bytes: count.nullable(), l3Bytes: count.nullable() }),
    governor: text.nullable(),
    turbo: z.boolean().nullable(),
  }),
  memoryBytes: count,
  gpus: z.array(gpuSchema),
  os: z.object({ platform: text, arch: text, distribution: text, release: text, kernel: text }),
  container: containerLimitsSchema,
  /** os.availableParallelism(): processors that this process may run on (affinity, cpusets); on Linux no more than a CPU quota, rounded down. */
  availableCores: count,
  /** The hypervisor or container engine, as far as it shows. */
  virtualisation: text.nullable(),
  volatile: volatileSchema,
  /** Parts that could not be read, and why. */
  missing: z.array(z.object({ part: text, reason: text })),
});

export type Gpu = z.infer<typeof gpuSchema>;
export type ContainerLimits = z.infer<typeof containerLimitsSchema>;
export type HeavyProcess = z.infer<typeof heavyProcessSchema>;
export type Host = z.infer<typeof hostSchema>;
