import { z } from 'zod';
import { dispatchSchema } from '../contract/cell.ts';
import { dtypes } from '../contract/shape.ts';

// What a worker answers. adapters/PROTOCOL.md tells it in words.

export const workerProtocol = 'attnswap.worker/1';

const name = z.string().regex(/^[a-z][a-z0-9-]*$/, 'lower-case letters, digits and hyphens');
const words = z.string().max(2000);

const backendSchema = z.discriminatedUnion('available', [
  z.object({
    name,
    available: z.literal(true),
    version: words,
    device: words,
    threads: z.int().min(1).nullable().default(null),
    dtypes: z.array(z.enum(dtypes)).min(1),
    details: z.record(z.string(), words).optional(),
    energyCounter: words.exactOptional(),
  }),
  z.object({ name, available: z.literal(false), reason: words, mend: words.default('') }),
]);

const kernelSchema = z.object({
  variant: name,
  kernel: name,
  summary: words.default(''),
  /** Backends without the kernel, with reasons. */
  lacking: z.record(name, words).optional(),
  /** Whether it adds a `bias` to its logits. */
  takesBias: z.boolean().exactOptional(),
  /** `all`: every q·k product is computed, masked ones too; `cost`: those of the variant's cost model alone. */
  scored: z.enum(['all', 'cost']),
});

export const helloSchema = z.object({
  protocol: z.string().max(200),
  name,
  version: words.default(''),
  backends: z.array(backendSchema).min(1).max(100),
  /** None: it trains only. */
  kernels: z.array(kernelSchema).max(1000),
});
export type Hello = z.infer<typeof helloSchema>;

/** `inputs`: SHA-256, in hexadecimal, of the bytes of q, k and v one after the other, as the worker holds them in f32. */
export const prepareSchema = z.union([
  z.object({ unsupported: z.string().min(1).max(2000) }),
  z.object({ inputs: z.string().regex(/^[0-9a-f]{64}$/, 'a hexadecimal SHA-256') }),
]);

export const doneSchema = z.object({});
export const sampleSchema = z.object({ elapsedNs: z.number().positive() });
export const memorySchema = z
  .object({ peakDeviceBytes: z.number().min(0).nullable().default(null), deviceMethod: words.nullable().default(null) })
  .refine(
    (memory) => memory.peakDeviceBytes === null || memory.deviceMethod !== null,
    'peakDeviceBytes needs deviceMethod, which says how it was read',
  );
/** Joules that the device has taken so far, or why they cannot be read: of a backend with an `energyCounter`. */
export const energySchema = z.union([z.object({ unavailable: words.min(1) }), z.object({ joules: z.number().min(0) })]);
export { dispatchSchema };

/** Of any reply: a fault in the worker's own words ends the cell. */
export const envelopeSchema = z.looseObject({ id: z.int(), error: z.string().max(20_000).optional() });
