import type { Testbed } from '../contract/testbed.ts';
import { testbedSchema } from '../contract/testbed.ts';
import { AttnswapError } from '../contract/errors.ts';
import { recordReader } from '../files/read-record.ts';
import type { Shape } from '../contract/shape.ts';
import { findVariant, parseVariant } from '../variants/index.ts';
import type { VariantSpec } from '../variants/index.ts';

export { positionEncodings } from '../contract/testbed.ts';
export type { Testbed } from '../contract/testbed.ts';

/** @throws INVALID_PARAMETERS, UNKNOWN_VARIANT */
export function readTestbed(value: unknown, source: string): Testbed {
  const testbed = readDescription(value, source);
  checkConfidences(testbed, source);
  for (const site of sitesOf(testbed)) {
    const refusal = refusalIn(testbed, site) ?? refusalBehindExit(testbed, site);
    if (refusal === undefined) continue;
    const where = testbed.encoder === undefined ? '' : ` in ${site.name}`;
    throw new AttnswapError('INVALID_PARAMETERS', `${source}: ${site.attention}${where}: ${refusal}`);
  }
  return testbed;
}

/**
 * The highest confidence of an exit. A softmax in f32 comes to 1 where one in f64 does not: above, trainers, reference and exported models would
 * differ in who leaves.
 */
const surest = 1 - 2 ** -20;

function checkConfidences({ exits = [] }: Testbed, source: string): void {
  const layer = exits.findIndex((confidence) => confidence !== null && confidence > surest);
  if (layer < 0) return;
  throw new AttnswapError('INVALID_PARAMETERS', `${source}: exits.${layer} is ${exits[layer]}, expected at most 1 − 2⁻²⁰`, {
    hint: 'f32 does not tell a higher confidence from certainty',
  });
}

/** Why a testbed cannot have an attention: at any length; across, or where the attention has but one length, at its own. */
function refusalIn(testbed: Testbed, site: Site): string | undefined {
  const { variant: name, parameters } = parseVariant(site.attention);
  const variant = findVariant(name);
  // ALiBi is a term of the logits.
  if (variant.rows === undefined && testbed.position === 'alibi') return `${name} has no logits that position alibi could be added to`;
  const sizes = variant.tokens === undefined ? { items: 1, length: 1, source: { length: 1 } } : longestOf(testbed);
  if (site.kind !== 'cross') return variant.refuses(parameters, siteShape(testbed, site, sizes));
  if (variant.looksAhead?.(parameters) === true)
    return 'later queries have a say in what a query sees, and a decoder does not know them yet';
  return variant.refuses(parameters, siteShape(testbed, site, longestOf(testbed)));
}

/** Variants whose kernels compute some rows alone: nothing in a row but causality depends on its place. */
const placeless: readonly string[] = ['dense', 'topk'];

function refusalBehindExit(testbed: Testbed, { layer, attention }: Site): string | undefined {
  if (!exitsByPosition(testbed) || layer < exitsOf(testbed)[0]!.layers) return undefined;
  if (placeless.includes(parseVariant(attention).variant)) return undefined;
  return `layers behind an exit by position need attention that computes some rows alone: ${placeless.join(', ')}`;
}

const readDescription = recordReader(testbedSchema, { code: 'INVALID_PARAMETERS', whole: 'testbed' });

/** One attention of a testbed. */
export interface Site {
  /** What the names of its parameters begin with: `layers.0.attention`, `layers.0.cross`, `encoder.layers.0.attention`. */
  readonly name: string;
  /** Attention within the sequence, within the source, or from the one to the other. */
  readonly kind: 'self' | 'encoder' | 'cross';
  readonly layer: number;
  /** As `name[:key=value,…]`. */
  readonly attention: string;
}

/** Every attention, in the order in which the model runs them: those of the encoder, then each layer's own and what it pays the encoder's output. */
export function sitesOf({ attention, encoder }: Testbed): Site[] {
  const reading = (encoder?.attention ?? []).map((text, layer) => siteAt('encoder', layer, text));
  const layers = attention.flatMap((text, layer) => {
    const own = siteAt('self', layer, text);
    return encoder === undefined ? [own] : [own, siteAt('cross', layer, encoder.cross[layer]!)];
  });
  return [...reading, ...layers];
}

function siteAt(kind: Site['kind'], layer: number, attention: string): Site {
  const name = `${kind === 'encoder' ? 'encoder.' : ''}layers.${layer}.${kind === 'cross' ? 'cross' : 'attention'}`;
  return { name, kind, layer, attention };
}

/** How many items, of what length, and with an encoder of what source. */
export interface BatchSizes {
  readonly items: number;
  readonly length: number;
  readonly source?: { readonly length: number } | undefined;
}

/** One item of a testbed's longest sequence, and source. */
export function longestOf({ length, encoder }: Testbed): BatchSizes {
  return { items: 1, length, source: encoder };
}

/** What an attention is called with for a batch. */
export function siteShape(testbed: Testbed, { kind }: Pick<Site, 'kind'>, { items, length, source }: BatchSizes): Shape {
  const { heads, causal } = testbed;
  const queries = kind === 'encoder' ? source!.length : length;
  const keys = kind === 'self' ? length : source!.length;
  const own = kind === 'self' && causal;
  return { batch: items, heads, kvHeads: heads, queries, keys, headDim: attentionDim(testbed), causal: own, dtype: 'f32' };
}

/** A tensor that training changes. */
export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  /** Standard deviation of its first values, which are normal around 0; or the value that all of them have. */
  readonly initial: { readonly deviation: number } | { readonly value: number };
}

/** Whether a layer, by what the names of its parameters begin with, has a head that decides who leaves after it. */
function hasExitHead({ layerCost, attention }: Testbed, layer: string): boolean {
  return layerCost !== undefined && layer !== `layers.${attention.length - 1}`;
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

/** Whether positions leave one by one, so that their states are copied. */
export function exitsByPosition(testbed: Testbed): boolean {
  return testbed.exitBy === 'position' && exitsOf(testbed).length > 1;
}

/**
 * The exits at which training copies states. Where heads decide, only positions that are not asked leave: behind a copied state going on would
 * cost a layer and gain nothing, and the head would never learn to stay.
 */
export function exitsInTraining(testbed: Testbed): Exit[] {
  const exits = exitsOf(testbed);
  return testbed.layerCost === undefined ? exits : exits.map(({ layers }) => ({ layers, confidence: Infinity }));
}

/** Heads' width as the kernels see it: ALiBi adds one dimension. */
export function attentionDim({ width, heads, position }: Testbed): number {
  return width / heads + (position === 'alibi' ? 1 : 0);
}

/**
 * Every parameter, in the order of weight files. Matrices are `[in, out]`; `gate.u`, `gate.w` `[heads, attentionDim, rank]`, `gate.b` `[heads]`
 * as in captured inputs; shared layers are all the first. Linear layers start at 1/√in, those that write to a residual stream at 1/√(writers·in).
 */
export function parametersOf(testbed: Testbed): Parameter[] {
  const { vocabulary, classes, length, width, attention, encoder } = testbed;
  return [
    { name: 'embed', shape: [vocabulary, width], initial: { deviation: 1 } },
    ...(encoder === undefined ? [] : stackParameters(testbed, 'encoder.', encoder.length, encoder.attention.length)),
    ...stackParameters(testbed, '', length, attention.length),
    linear('head', width, classes),
  ];
}

/** The parameter of a layer's own name: where layers are shared the first one's. */
export function parameterAt({ sharedLayers }: Testbed, name: string): string {
  return sharedLayers === true ? name.replace(/^layers\.\d+\./, 'layers.0.') : name;
}

/** What is kept by parameter under every layer's own names. */
export function byEveryLayer<T>(testbed: Testbed, kept: ReadonlyMap<string, T>): ReadonlyMap<string, T> {
  if (testbed.sharedLayers !== true) return kept;
  const layered = [...kept].filter(([name]) => name.startsWith('layers.0.'));
  const copies = [...testbed.attention.keys()].flatMap((layer) =>
    layered.map(([name, each]) => [name.replace('layers.0.', `layers.${layer}.`), each] as const),
  );
  return new Map([...kept, ...copies]);
}

/** Positions, layers and last norm of an encoder, or of the layers that answer. */
function stackParameters(testbed: Testbed, prefix: '' | 'encoder.', length: number, layers: number): Parameter[] {
  const { position, width, normPlacement } = testbed;
  // As embeddings: much smaller ones would be drowned by them, and learned late.
  const learned = { name: `${prefix}position`, shape: [length, width], initial: { deviation: 1 } };
  return [
    ...(position === 'learned' ? [learned] : []),
    ...Array.from({ length: testbed.sharedLayers === true ? 1 : layers }, (_, layer) =>
      layerParameters(testbed, `${prefix}layers.${layer}`, layers),
    ).flat(),
    ...(normPlacement === 'before' ? normParameters(testbed, `${prefix}norm`) : []),
  ];
}

function layerParameters(testbed: Testbed, layer: string, layers: number): Parameter[] {
  const { width, hidden } = testbed;
  const sites = sitesOf(testbed).filter(({ name }) => name.startsWith(`${layer}.`));
  const residual = 1 / Math.sqrt((sites.length + 1) * layers);
  return [
    ...sites.flatMap((site) => [...normParameters(testbed, normOf(site)), ...attentionParameters(testbed, site, residual)]),
    ...normParameters(testbed, `${layer}.norm2`),
    linear(`${layer}.mlp.in`, width, hidden),
    linear(`${layer}.mlp.out`, hidden, width, residual),
    ...(hasExitHead(testbed, layer) ? exitParameters(testbed, layer) : []),
  ];
}

/** The head that says whether a position leaves. At first it does not, so that the layers behind are trained. */
function exitParameters({ width }: Testbed, layer: string): Parameter[] {
  return [
    // A matrix: MatMul of ONNX Runtime 1.30 fails for a vector where nobody is asked, so that there are no rows.
    { name: `${layer}.exit.weight`, shape: [width, 1], initial: { value: 0 } },
    { name: `${layer}.exit.bias`, shape: [1], initial: { value: -2 } },
  ];
}

/** The name of the norm of an attention. */
export function normOf({ name, kind }: Site): string {
  return name.replace(/\w+$/, kind === 'cross' ? 'normCross' : 'norm1');
}

function attentionParameters(testbed: Testbed, { name, attention }: Site, residual: number): Parameter[] {
  const { width } = testbed;
  const spec = parseVariant(attention);
  return [
    ...['query', 'key', 'value'].map((part) => linear(`${name}.${part}`, width, width)),
    linear(`${name}.output`, width, width, residual),
    ...(findVariant(spec.variant).takesGate === true ? gateParameters(testbed, spec, `${name}.gate`) : []),
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
