import type { ModelInput } from '../../contract/adapter.ts';
import type { Tensor, Tensors } from '../../contract/tensor.ts';
import { dimensionNames, givenDims, sumOfParts } from '../../inputs/dimension-names.ts';
import { drawModelInputs, tensorOf } from '../../inputs/model-inputs.ts';
import type { DimensionSizes } from '../../inputs/model-inputs.ts';

/** One run of a model on drawn inputs. */
export interface HostedCase {
  readonly batch: number;
  /** New tokens. */
  readonly length: number;
  /** Tokens in the cache. */
  readonly past: number;
  /** Which tokens of all sequences but the first are padding. */
  readonly style: 'whole' | 'right' | 'left';
  readonly feeds: Tensors;
}

/** Tokens of the short runs; other sequences, such as a decoder's, are shorter, so that the two are told apart. */
const usual = { batch: 2, length: 12, other: 7 } as const;
/** Most tokens of the longest run: the reference takes the square of them. */
const most = 256;

export interface CaseOptions {
  /** Tokens that the model takes at most; null where that is not known. */
  readonly longest: number | null;
  /** What the user said of dynamic dimensions. */
  readonly sizes: DimensionSizes;
  /** Tokens of a further run, where blocks, regions or windows have to end within it. */
  readonly reach?: number | undefined;
}

/**
 * Short runs whole, padded on the right and on the left, where the model takes a padding mask; and a longer one. Of a decoder with a cache, also a
 * few tokens and a single one behind what is cached.
 */
export function hostedCases(inputs: readonly ModelInput[], { longest, sizes, reach }: CaseOptions): HostedCase[] {
  const fit = (length: number) => Math.min(length, longest ?? length);
  const styles = inputs.some(isPadding) ? (['whole', 'right', 'left'] as const) : (['whole'] as const);
  const short = styles.map((style, seed) => ({ batch: usual.batch, length: fit(usual.length), past: 0, style, seed }));
  const long = { batch: 1, length: fit(reach ?? most), past: 0, style: 'whole' as const, seed: 7 };
  const dynamic = inputs.some(({ dims }) => dims.includes('sequence') || dims.includes('decoder_sequence'));
  const padded = { ...long, batch: usual.batch, style: styles.at(1) ?? 'whole' };
  const planned = !dynamic ? short : reach === undefined ? [...short, long] : [...short, padded];
  const cached = [...short.filter(({ style }) => style !== 'right'), { ...planned.at(-1)!, style: styles.at(-1)! }];
  // A size that is given for the new tokens leaves none to cache.
  const decodes = sizes['sequence'] === undefined && inputs.some(({ dims }) => dims.includes('past'));
  const behind = decodes ? cached.flatMap(behindCache) : [];
  return [...planned, ...behind].map(({ seed, ...run }) => ({ ...run, feeds: draw(inputs, { ...run, seed, sizes }) }));
}

/** The dimensions whose sizes can be given: how much a cache holds is settled by the cases. */
export function settableDimensions(inputs: readonly ModelInput[]): ReadonlySet<string> {
  return new Set([...dimensionNames(inputs)].filter((name) => !/\bpast\b/.test(name)));
}

/** The last tokens of a run, behind a cache of those before them: a few, or one where there is padding, which lies before them all. */
function behindCache<Run extends Omit<HostedCase, 'feeds'>>(run: Run): Run[] {
  const length = run.style === 'whole' ? 3 : 1;
  return run.length <= length ? [] : [{ ...run, length, past: run.length - length }];
}

/** Whether an input says which tokens are padding. */
export function isPadding({ name, dims }: Pick<ModelInput, 'name' | 'dims'>): boolean {
  return name === 'attention_mask' && dims.length === 2;
}

/** Cached values as every float type represents them exactly: multiples of 1/32, of which bf16 has all below 8. */
function withExactCache(inputs: readonly ModelInput[], drawn: Tensors): Tensors {
  const cached = inputs.filter(({ type, dims }) => type === 'float32' && dims.includes('past'));
  const rounded = cached.map(({ name }): [string, Tensor] => {
    const { type, dims, data } = drawn[name]!;
    return [name, { type, dims, data: (data as Float32Array).map((value) => Math.round(32 * value) / 32) }];
  });
  return { ...drawn, ...Object.fromEntries(rounded) };
}

interface Drawing extends Omit<HostedCase, 'feeds'> {
  readonly seed: number;
  readonly sizes: DimensionSizes;
}

function draw(inputs: readonly ModelInput[], { batch, length, past, style, seed, sizes }: Drawing): Tensors {
  const names = new Set(inputs.flatMap((input) => givenDims(input).filter((dim) => typeof dim === 'string')));
  const known: DimensionSizes = { batch, sequence: length, ...sizes, past };
  const sizeOf = (name: string) => known[name] ?? sumOfParts(name, (part) => known[part] ?? usual.other) ?? usual.other;
  const own = Object.fromEntries([...names].map((name) => [name, sizeOf(name)]));
  const below = (input: string) => inputs.find(({ name }) => name === input)?.below ?? 100;
  const drawn = withExactCache(inputs, drawModelInputs(inputs, own, seed, below));
  const padding = inputs.find(isPadding);
  if (padding === undefined || style === 'whole') return drawn;
  const { type, dims } = drawn[padding.name]!;
  const [rows, tokens] = dims as readonly [number, number];
  const hidden = Math.floor(tokens / 3);
  const values = Float64Array.from({ length: rows * tokens }, (_, place) => {
    const [row, token] = [Math.floor(place / tokens), place % tokens];
    if (row === 0) return 1;
    return (style === 'right' ? token < tokens - hidden : token >= hidden) ? 1 : 0;
  });
  return { ...drawn, [padding.name]: tensorOf(type, dims, values) };
}
