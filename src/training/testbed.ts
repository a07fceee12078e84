import type { Testbed } from '../contract/testbed.ts';
import { testbedSchema } from '../contract/testbed.ts';
import { AttnswapError } from '../contract/errors.ts';
import { recordReader } from '../files/read-record.ts';
import { findVariant, parseVariant } from '../variants/index.ts';
import type { VariantSpec } from '../variants/index.ts';

export { positionEncodings } from '../contract/testbed.ts';
export type { Testbed } from '../contract/testbed.ts';

/** @throws INVALID_PARAMETERS, UNKNOWN_VARIANT */
export function readTestbed(value: unknown, source: string): Testbed {
  const testbed = readDescription(value, source);
  for (const text of testbed.attention) {
    const refusal = refusalIn(testbed, parseVariant(text));
    if (refusal !== undefined) throw new AttnswapError('INVALID_PARAMETERS', `${source}: ${text}: ${refusal}`);
  }
  return testbed;
}

/** Why a testbed cannot have an attention, at any length. */
function refusalIn({ heads, width, causal, position }: Testbed, { variant: name, parameters }: VariantSpec): string | undefined {
  const variant = findVariant(name);
  const shape = { batch: 1, heads, kvHeads: heads, queries: 1, keys: 1, headDim: width / heads, causal, dtype: 'f32' } as const;
  // ALiBi is a term of the logits.
  const withoutLogits = variant.rows === undefined && position === 'alibi';
  return withoutLogits ? `${name} has no logits that position alibi could be added to` : variant.refuses(parameters, shape);
}

const readDescription = recordReader(testbedSchema, { code: 'INVALID_PARAMETERS', whole: 'testbed' });

/** A tensor that training changes. */
export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  /** Standard deviation of its first values, which are normal around 0; or the value that all of them have. */
  readonly initial: { readonly deviation: number } | { readonly value: number };
}

/** Where answers are taken: after so many layers, from so much confidence. */
export interface Exit {
  readonly layers: number;
  readonly confidence: number;
}

/** The exits that have a confidence, and the last layer, which answers whatever is left: its confidence is 0. */
export function exitsOf({ exits = [], attention }: Testbed): Exit[] {
  const early = exits.flatMap((confidence, layer) => (confidence === null ? [] : [{ layers: layer + 1, confidence }]));
  return [...early, { layers: attention.length, confidence: 0 }];
}

/** Heads' width as the kernels see it: ALiBi adds one dimension. */
export function attentionDim({ width, heads, position }: Testbed): number {
  return width / heads + (position === 'alibi' ? 1 : 0);
}

/**
 * Every parameter, in the order of weight files. Matrices are `[in, out]`; `gate.u`, `gate.w` `[heads, attentionDim, rank]`, `gate.b` `[heads]`
 * as in captured inputs. Linear layers start at 1/√in, those that write to the residual stream at 1/√(2·layers·in).
 */
export function parametersOf(testbed: Testbed): Parameter[] {
  const { vocabulary, classes, length, width, attention, position, normPlacement } = testbed;
  return [
    { name: 'embed', shape: [vocabulary, width], initial: { deviation: 1 } },
    ...(position === 'learned' ? [{ name: 'position', shape: [length, width], initial: { deviation: 0.02 } }] : []),
    ...attention.flatMap((text, layer) => layerParameters(testbed, parseVariant(text), `layers.${layer}`)),
    ...(normPlacement === 'before' ? normParameters(testbed, 'norm') : []),
    linear('head', width, classes),
  ];
}

function layerParameters(testbed: Testbed, spec: VariantSpec, layer: string): Parameter[] {
  const { width, hidden, attention } = testbed;
  const residual = 1 / Math.sqrt(2 * attention.length);
  return [
    ...normParameters(testbed, `${layer}.norm1`),
    ...['query', 'key', 'value'].map((name) => linear(`${layer}.attention.${name}`, width, width)),
    linear(`${layer}.attention.output`, width, width, residual),
    ...(findVariant(spec.variant).takesGate === true ? gateParameters(testbed, spec, `${layer}.attention.gate`) : []),
    ...normParameters(testbed, `${layer}.norm2`),
    linear(`${layer}.mlp.in`, width, hidden),
    linear(`${layer}.mlp.out`, hidden, width, residual),
  ];
}

function linear(name: string, from: number, to: number, factor = 1): Parameter {
  return { name, shape: [from, to], initial: { deviation: factor / Math.sqrt(from) } };
}

/** RMSNorm has no bias. */
function normParameters({ width, norm }: Testbed, name: string): Parameter[] {
  const weight: Parameter = { name: `${name}.weight`, shape: [width], initial: { value: 1 } };
  return norm === 'rms' ? [weight] : [weight, { name: `${name}.bias`, shape: [width], initial: { value: 0 } }];
}

function gateParameters(testbed: Testbed, { parameters }: VariantSpec, name: string): Parameter[] {
  const dim = attentionDim(testbed);
  const rank = Number(parameters['rank'] ?? Math.max(1, Math.floor(dim / 4)));
  const projection = { shape: [testbed.heads, dim, rank], initial: { deviation: 1 / Math.sqrt(dim) } };
  return [
    { name: `${name}.u`, ...projection },
    { name: `${name}.w`, ...projection },
    { name: `${name}.b`, shape: [testbed.heads], initial: { value: 0 } },
  ];
}
