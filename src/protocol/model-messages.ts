import { z } from 'zod';
import type { AdapterTraining } from '../contract/model-attention.ts';
import { tensorTypes } from '../contract/tensor.ts';

// What a worker answers about whole models. adapters/PROTOCOL.md tells it in words.

const words = z.string().max(2000);
const path = z.string().max(1000);
const size = z.int().min(1);
const refused = z.object({ unsupported: z.string().min(1).max(2000) });

const inputSchema = z.object({
  name: path,
  type: z.enum(tensorTypes),
  dims: z.array(z.union([size, z.string().max(200)])).max(8),
  below: size.optional(),
  optional: z.boolean().optional(),
  storedBytes: size.optional(),
});

export const modelOpenSchema = z.union([
  refused,
  z.object({
    model: words,
    attention: words.nullable().default(null),
    inputs: z.array(inputSchema).min(1).max(100),
    longest: size.nullable().default(null),
    undecoded: words.nullable().default(null),
  }),
]);

const callSchema = z.object({
  batch: size,
  heads: size,
  kvHeads: size,
  queries: size,
  keys: size,
  headDim: size,
  widths: z.object({ keys: size, values: size }).optional(),
  scale: z.number(),
  dtype: words,
  causal: z.boolean().nullable(),
  padded: z.boolean(),
  window: z.object({ left: z.int().min(0), right: z.int().min(0) }).optional(),
  biased: z.boolean(),
  refused: words.optional(),
});

export const modelSitesSchema = z.union([
  refused,
  z.object({
    sites: z.array(z.object({ module: path, calls: z.array(callSchema).min(1).max(10_000) })).max(10_000),
    elsewhere: z.array(z.object({ where: words, what: words })).max(1000),
    faithful: z.boolean(),
  }),
]);

export const modelCaptureSchema = z.object({
  calls: z.array(callSchema.extend({ module: path, causal: z.boolean() })).max(10_000),
});

/** Of an ONNX model, whose file tells the rest. */
export const graphOpenSchema = z.union([refused, z.object({})]);

export const modelRunSchema = z.union([refused, z.object({ pass: z.literal('forward+backward').optional() })]);

export const modelSwapSchema = z.union([refused, z.object({})]);

const bytes = z.int().min(0);

/** A loss of every step. */
export const modelTrainSchema = ({ items, batch }: Pick<AdapterTraining, 'items' | 'batch'>) =>
  z.object({ losses: z.array(z.number()).length(Math.ceil(items.length / batch)), parameters: size });

/** The same of a rank, or of a process that is compared with ranks. */
export const rankTrainSchema = (training: AdapterTraining) => modelTrainSchema(training).extend({ cost: costSchema });

const costSchema = z.object({
  elapsedNs: z.int().positive(),
  communicationNs: z.int().min(0).nullable(),
  peakBytes: bytes.nullable(),
  frozenBytes: bytes,
  trainedBytes: bytes,
  gradientBytes: bytes,
  optimizerBytes: bytes,
});

export const modelProofSchema = z.object({
  modules: z.int().min(1),
  tensors: z.int().min(0),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'a hexadecimal SHA-256'),
});
