import type { ModelInput } from '../../contract/adapter.ts';
import type { Tensor } from '../../contract/tensor.ts';
import { tensorOf } from '../../inputs/model-inputs.ts';
import { RandomStream } from '../../inputs/random.ts';
import { numbersOf } from './mask-sources.ts';

/**
 * What an input that reaches a mask by value may hold: `flags`: 0 and 1, of which `keeps` lets a key through; `counts`: how many there
 * are, which may be more than the new tokens where they count keys that are `stored`; `ids`: any whole numbers, below the size of a table that
 * they index; `added`: a bias as it is; `numbers`: anything.
 */
export type Domain =
  | { readonly kind: 'flags'; readonly keeps: 0 | 1 }
  | { readonly kind: 'counts'; readonly stored?: true }
  | { readonly kind: 'added' | 'numbers' }
  | { readonly kind: 'ids'; readonly constants: readonly number[]; readonly tableSize: number };

/** By name of the input. */
export type Domains = Readonly<Record<string, Domain>>;

/**
 * How such an input is drawn: `plain`: everything counts; `right`, `left`: the last batch element ends early, or begins late; `mixed`: at
 * random; `restart`: positions that begin anew; `blocks`: numbers that mark parts: types 0 and 1, masks that count documents, masks of
 * fractions, loud frames, counts of stored keys beyond the new tokens.
 */
export const styles = ['plain', 'right', 'left', 'mixed', 'restart', 'blocks'] as const;
export type Style = (typeof styles)[number];

/** Whether an input is called a mask. */
export function namesFlags(name: string): boolean {
  return /mask|pad/i.test(name);
}

/** What an input may hold, as far as its type, sizes and name say; which flag keeps is settled by running. */
export function domainOf({ name, type, dims }: ModelInput, constants: readonly number[], tableSize: number): Domain {
  if (type === 'bool' || namesFlags(name)) return { kind: 'flags', keeps: 1 };
  const perElement = dims.length < 2 || dims.slice(1).every((size) => size === 1);
  if (perElement) return { kind: 'counts' };
  return type.startsWith('float') ? { kind: 'numbers' } : { kind: 'ids', constants, tableSize };
}

/** Numbers that are mixed into ids, one a run. */
const mostMixed = 48;

/** The styles that may show what an input of a domain does, each with what it mixes in. */
export function stylesOf(domain: Domain): ReadonlyArray<{ readonly style: Style; readonly constant?: number }> {
  const padded = [{ style: 'right' }, { style: 'left' }, { style: 'mixed' }] as const;
  if (domain.kind !== 'ids') return [...padded, { style: 'blocks' }];
  // What is compared with a number may change at it, before it or behind it.
  const mixedIn = [...new Set([...domain.constants.flatMap((constant) => [constant, constant + 1, constant - 1]), 0, 1])].slice(
    0,
    mostMixed,
  );
  return [
    ...mixedIn.map((constant) => ({ style: 'right' as const, constant })),
    { style: 'mixed' },
    { style: 'restart' },
    { style: 'blocks' },
  ];
}

interface Drawing {
  readonly style: Style;
  readonly domain: Domain;
  readonly length: number;
  readonly constant?: number;
  readonly seed: number;
  /** Whether no other input is drawn in the style. */
  readonly isAlone: boolean;
  /** How many such inputs come before it: each is cut one key further, so that none is taken for another. */
  readonly place: number;
}

/** An input in a style of its domain; `tensor` is what it would hold otherwise. */
export function drawStyled(name: string, tensor: Tensor, drawing: Drawing): Tensor {
  const { type, dims } = tensor;
  const count = dims.reduce((product, size) => product * size, 1);
  const stream = new RandomStream(drawing.seed, `${name}/${drawing.style}`);
  const at = valuesOf(tensor, drawing, stream);
  return tensorOf(
    type,
    dims,
    Array.from({ length: count }, (_, index) => at(index)),
  );
}

type ValueOf = (index: number) => number;

function valuesOf(tensor: Tensor, { domain, style, length, constant, place, isAlone }: Drawing, stream: RandomStream): ValueOf {
  const { dims } = tensor;
  const data = numbersOf(tensor);
  const drops = droppedBy(dims, style, { stream, place });
  switch (domain.kind) {
    case 'flags':
      // Numbers beyond 1 count as 1 to a mask of flags, and mark documents to others: asked of one input at a time.
      if (style === 'blocks' && !isAlone) return () => domain.keeps;
      if (style === 'blocks' && domain.keeps === 1 && /^u?int/.test(tensor.type)) return (index) => 1 + partOf(index, dims, 3);
      if (style === 'blocks' && tensor.type.startsWith('float')) return (index) => fractions[partOf(index, dims, fractions.length)]!;
      return (index) => (drops(index) ? 1 - domain.keeps : domain.keeps);
    case 'counts':
      return (index) => {
        if (style === 'plain') return length;
        if (style === 'blocks' && domain.stored === true) return length + Math.ceil(length / 2);
        if (style === 'mixed' || index < data.length - 1) return 1 + Math.floor(length * stream.uniform());
        return Math.max(1, length - Math.ceil(length / 3) - place);
      };
    case 'ids': {
      const last = dims.at(-1) ?? 1;
      const constants = new Set(domain.constants);
      const plain = (index: number) => {
        let value = data[index]!;
        while (constants.has(value) && value !== 0) value++;
        return value;
      };
      if (style === 'restart') return (index) => (index % last) % Math.ceil(last / 2);
      if (style === 'blocks') return (index) => partOf(index, dims, 2);
      if (style === 'plain') return plain;
      const pool = constant === undefined ? [...domain.constants.flatMap((each) => [each, each + 1, each - 1]), 0, 1] : [constant];
      // A table that ids index may say anything of any of them.
      if (style === 'mixed' && domain.tableSize > 0)
        return (index) =>
          drops(index) ? pool[Math.floor(pool.length * stream.uniform())]! : Math.floor(domain.tableSize * stream.uniform());
      return (index) => (drops(index) ? pool[Math.floor(pool.length * stream.uniform())]! : plain(index));
    }
    case 'added':
      return (index) => (drops(index) ? -1e4 : 0);
    case 'numbers': {
      // Frames, patches or states: whole rows of nothing.
      const inner = dims.slice(2).reduce((product, size) => product * size, 1);
      const dropsRow = droppedBy(dims.slice(0, 2), style, { stream, place });
      const gone = Array.from({ length: data.length / inner }, (_, row) => dropsRow(row));
      if (style === 'blocks') return (index) => data[index]! * [1, -10, 0.01][partOf(Math.floor(index / inner), dims.slice(0, 2), 3)]!;
      return (index) => (gone[Math.floor(index / inner)] ? 0 : data[index]!);
    }
  }
}

/** What a mask of floats may hold beside 0 and 1: soft masks, weights, probabilities. */
const fractions = [0.5, 0.02, 0.98] as const;

/** Which of some equal parts of the last axis an entry lies in. */
function partOf(index: number, dims: readonly number[], parts: number): number {
  const last = dims.at(-1) ?? 1;
  return Math.floor((parts * (index % last)) / last);
}

/** Which entries a style drops: of the last batch element a third of the last axis (of numbers with several axes, of the second), or any. */
function droppedBy(
  dims: readonly number[],
  style: Style,
  { stream, place }: { stream: RandomStream; place: number },
): (index: number) => boolean {
  if (style === 'plain') return () => false;
  const columns = dims.at(-1) ?? 1;
  const perElement = dims.slice(1).reduce((product, size) => product * size, 1);
  if (style === 'mixed') {
    const kept = Math.floor(columns * stream.uniform());
    return (index) => index % columns !== kept && stream.uniform() < 0.5;
  }
  const elements = dims.length < 2 ? 1 : dims[0]!;
  const dropped = Math.max(1, Math.min(columns - 1, Math.floor(columns / 3) + place));
  return (index) => {
    if (dims.length >= 2 && Math.floor(index / perElement) !== elements - 1) return false;
    const column = index % columns;
    return style === 'left' ? column < dropped : column >= columns - dropped;
  };
}
