import { z } from 'zod';
import { dispatchSchema } from '../contract/cell.ts';
import { comparisonSchema } from '../contract/verdict.ts';
import type { Comparison } from '../contract/verdict.ts';
import { busyCores, isBusy } from '../decide/judge-blocks.ts';
import type { StepSchemas } from '../journal/check-steps.ts';
import { atLengthSchema, attentionScalingSchema, generationSchema, judgementSchema, proofSchema, qualitySchema } from './record-parts.ts';

const length = String.raw`\d+$`;
const use = String.raw`((decode|forward\+backward)/)?`;
const number = z.number();
const mean = z.object({ mean: number.nullable() }).nullable();
const countedSchema = { items: z.int(), of: z.int().optional() };
const driftSchema = z.discriminatedUnion('state', [
  z.object({ state: z.literal('fault'), ...countedSchema, reasons: z.array(z.string()).min(1) }),
  z.object({
    state: z.literal('measured'),
    ...countedSchema,
    outputs: z.array(z.object({ output: z.string(), kind: z.string(), relativeError: mean, agreement: mean })).min(1),
  }),
]);

/** Whether a comparison showed something, on a host that was quiet all the time. */
function isClear({ outcome, blocks, setAside = [] }: Comparison): boolean {
  const quiet = setAside.length === 0 && !blocks.some((block) => isBusy(block, busyCores));
  return quiet && ['pass', 'improvement', 'regression'].includes(outcome);
}

/** What is measured of a model, and may be reused. */
export const figureSchemas = {
  latency: atLengthSchema.pick({ medianNs: true, lowNs: true, highNs: true }),
  memory: z.object({ bytes: number.positive(), residentBytes: number.positive().exactOptional() }),
  waste: atLengthSchema.shape.waste,
  comparison: comparisonSchema.refine(isClear),
  kernel: number.min(0),
};

/** What the steps of a migration hold. */
export const migrationSteps: StepSchemas = [
  [new RegExp(`^feeds/(decode/)?${length}`), z.object({ item: z.string() })],
  [new RegExp(`^baseline/latency/${use}${length}`), figureSchemas.latency],
  [new RegExp(`^baseline/memory/${use}${length}`), figureSchemas.memory],
  [new RegExp(`^baseline/cache/${length}`), z.object({ bytes: number.min(0), bytesPerToken: number.min(0) })],
  [new RegExp(`^baseline/waste/${length}`), figureSchemas.waste],
  [/^dispatch\//s, dispatchSchema.nullable()],
  [/^baseline\/scores$/, z.array(number).nullable()],
  [/^candidate\/.+\/model$/s, z.union([z.object({ proof: proofSchema }), z.object({ failure: z.string() })])],
  [/^candidate\/.+\/decode$/s, z.object({ drift: driftSchema, judgement: judgementSchema.nullable() })],
  [/^candidate\/.+\/generation$/s, generationSchema],
  [/^generation\//s, z.array(z.int())],
  [/^candidate\/.+\/quality$/s, qualitySchema.extend({ drift: driftSchema })],
  [new RegExp(`^(latency|peak-memory)/.+/${length}`, 's'), comparisonSchema],
  [/^tune\/saving$/, z.array(z.array(number.nullable()))],
  [/^tune\/scale$/, z.object({ scores: z.array(number).nullable(), size: number.min(0) })],
  [/^tune\/loss\//, number.min(0).nullable()],
  [/^tune\/kernel\//, figureSchemas.kernel.nullable()],
  [/^tune\/mend\//, z.object({ factor: number.nullable(), loss: number.min(0), norms: z.record(z.string(), z.array(number)).nullable() })],
  [/^recover\/.+\/judged\/\d+$/s, z.object({ loss: number.min(0).nullable() })],
  [/^recover\//s, z.object({ losses: z.array(number).min(1), parameters: z.int().positive() })],
  [/^scaling\//s, attentionScalingSchema],
  [/^head$/, z.object({ tool: z.object({ version: z.string() }), command: z.array(z.string()), warnings: z.array(z.string()) })],
  [/^ended\//, z.iso.datetime()],
];
