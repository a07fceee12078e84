import type { ModelInput } from '../contract/adapter.ts';
import type { Tensor, Tensors } from '../contract/tensor.ts';
import { drawModelInputs, tensorOf } from '../inputs/model-inputs.ts';
import type { DimensionSizes } from '../inputs/model-inputs.ts';

/** One small run of a model: how large, and where its masks drop keys. */
export interface ProbeCase {
  readonly batch: number;
  readonly length: number;
  readonly past: number;
  /** How much longer each further dynamic length is than the one before: a model may bind them to each other, or not. */
  readonly spread?: number;
  /** `right`: the last batch element ends early; `left`: it begins late. */
  readonly padding: 'none' | 'right' | 'left';
  /** What a mask holds for a key that counts: some say 1 for what is padding. */
  readonly maskKeeps: 0 | 1;
  readonly seed: number;
  readonly vocabulary: number;
}

/**
 * Sizes of a model's dynamic dimensions by what their names say: an axis called batch, or the first one where none is, takes `batch`; one
 * called past takes `past`; a sum such as `past + sequence` the sum; all others `length`, each `spread` more than the one before. Given
 * sizes come first.
 */
export function guessSizes(inputs: readonly ModelInput[], at: SizeCase, given: DimensionSizes): DimensionSizes {
  const sizes: Record<string, number> = {};
  const namesBatch = inputs.some(({ dims }) => dims.some((name) => typeof name === 'string' && batchName.test(name)));
  const lengths = new Map<string, number>();
  for (const { dims } of named(inputs)) {
    dims.forEach((name, axis) => {
      const leads = !namesBatch && axis === 0 && dims.length > 1;
      if (typeof name === 'string') sizes[name] ??= given[name] ?? guess(name, { ...at, leads, lengths });
    });
  }
  return sizes;
}

type SizeCase = Pick<ProbeCase, 'batch' | 'length' | 'past' | 'spread'>;
type Guess = SizeCase & {
  /** Whether it is the first axis of several, and no axis is called batch. */
  readonly leads: boolean;
  /** Sizes of the lengths so far, by name. */
  readonly lengths: Map<string, number>;
};

const batchName = /batch|^bs?$/i;
/** Names of dimensions that have none begin so: the input and the axis follow. */
const unnamed = '?';

/** The inputs with a name of its own for every dynamic dimension that has none. */
function named(inputs: readonly ModelInput[]): ModelInput[] {
  return inputs.map((input) => ({
    ...input,
    dims: input.dims.map((name, axis) => (name === '' ? `${unnamed}${input.name}.${axis}` : name)),
  }));
}

function guess(name: string, at: Guess): number {
  const parts = name.split('+').map((part) => part.trim());
  if (parts.length === 2)
    return parts.reduce((sum, part) => sum + (/^\d+$/.test(part) ? Number(part) : guess(part, { ...at, leads: false })), 0);
  if (name.startsWith(unnamed)) return at.leads ? at.batch : lengthOf(name, at);
  if (batchName.test(name)) return at.batch;
  if (/past/i.test(name)) return /total/i.test(name) ? at.past + at.length : at.past;
  if (/total/i.test(name)) return at.past + at.length;
  const isLength = /seq|len|token|time|width|height|frames|keys|quer/i.test(name);
  return at.leads && !isLength ? at.batch : lengthOf(name, at);
}

function lengthOf(name: string, { length, spread = 0, lengths }: Guess): number {
  const known = lengths.get(name) ?? length + spread * lengths.size;
  lengths.set(name, known);
  return known;
}

/**
 * Draws a probe's inputs: as {@link drawModelInputs}, with ids below `vocabulary`, and masks that drop a third of the last element; the
 * next mask drops one key more, so that no mask is taken for another.
 */
export function probeInputs(inputs: readonly ModelInput[], at: ProbeCase, given: DimensionSizes): Tensors {
  const drawn = drawModelInputs(named(inputs), guessSizes(inputs, at, given), at.seed, at.vocabulary);
  let masks = 0;
  return Object.fromEntries(
    Object.entries(drawn).map(([name, tensor]) => [name, isMask(name, tensor) ? withPadding(tensor, at, masks++) : tensor]),
  );
}

function isMask(name: string, { dims }: Tensor): boolean {
  return /mask/i.test(name) && dims.length === 2 && (dims[1] ?? 0) >= 3;
}

/** Everything kept, but for a third of the last row and `more` keys; one at least is kept. */
function withPadding({ type, dims }: Tensor, { padding, maskKeeps }: ProbeCase, more: number): Tensor {
  const [rows = 1, columns = 1] = dims;
  const dropped = padding === 'none' ? 0 : Math.min(columns - 1, Math.floor(columns / 3) + more);
  const start = (rows - 1) * columns + (padding === 'right' ? columns - dropped : 0);
  const keeps = (at: number) => at < start || at >= start + dropped;
  return tensorOf(
    type,
    dims,
    Array.from({ length: rows * columns }, (_, at) => (keeps(at) ? maskKeeps : 1 - maskKeeps)),
  );
}

/** Batch elements that inputs hold: the axis called batch, or the first axis of the first input that has several. */
export function batchOf(inputs: readonly ModelInput[], tensors: Tensors): number {
  for (const { name, dims } of inputs) {
    const axis = dims.findIndex((dimension) => typeof dimension === 'string' && batchName.test(dimension));
    if (axis >= 0) return tensors[name]!.dims[axis]!;
  }
  return Object.values(tensors).find(({ dims }) => dims.length > 1)?.dims[0] ?? 1;
}
