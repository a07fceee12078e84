import type { Parameters } from '../contract/variant.ts';
import type { BiasKind, CaseInputs, MaskKind, ValueKind } from './case-inputs.ts';
import { parseVariant } from './index.ts';

/** One input that every kernel of a variant is judged on. Its tensors come from `createCaseInputs`. */
export interface ConformanceCase extends CaseInputs {
  readonly name: string;
  readonly variant: string;
  readonly parameters: Parameters;
  /** True where the values are whole numbers: logits are exact in f32, so that ties must be decided right. */
  readonly exactLogits: boolean;
  /** Long enough that everyday runs leave it out, or judge a sample of its rows. */
  readonly slow?: true;
}

/** What a case deviates in from batch 1, two heads, headDim 16, full attention over `n` unpadded normal tokens. */
export interface Deviation {
  readonly n: number;
  readonly queries?: number;
  readonly causal?: boolean;
  readonly batch?: number;
  readonly heads?: number;
  readonly kvHeads?: number;
  readonly headDim?: number;
  readonly mask?: MaskKind;
  readonly values?: ValueKind;
  readonly bias?: BiasKind;
  readonly keyPeriod?: number;
  readonly scale?: number;
  readonly softcap?: number;
  readonly sinks?: true;
  readonly gateRank?: number;
  readonly slow?: true;
}

/** A variant's text at a length: a grid and as many globals as make up so many tokens, of two axes or, of odd lengths, three. */
function textAt(text: string, n: number): string {
  if (!text.startsWith('grid-window') || text.includes('grid=')) return text;
  const globals = Math.min(1, n - 1);
  const [height, width] = nearlyEqual(n - globals);
  const grid = n % 2 === 0 ? [height, width] : [...nearlyEqual(height), width];
  return `${text.replace('globals=1', `globals=${globals}`)},grid=${grid.join('x')}`;
}

/** Two factors of a number, the smaller first. */
function nearlyEqual(product: number): [number, number] {
  let smaller = Math.floor(Math.sqrt(product));
  while (product % smaller !== 0) smaller--;
  return [smaller, product / smaller];
}

/** @param given a variant as a user writes it; a grid window's grid is left to the length */
export function caseOf(given: string, deviation: Deviation): ConformanceCase {
  const text = textAt(given, deviation.n);
  const { n, queries = n, causal = false, batch = 1, heads = 2, headDim = 16, mask = 'none', values = 'normal' } = deviation;
  const kvHeads = deviation.kvHeads ?? heads;
  const { variant, parameters } = parseVariant(text);
  const shape = { batch, heads, kvHeads, queries, keys: n, headDim, causal, dtype: 'f32' } as const;
  const { bias, keyPeriod, scale, softcap, sinks, gateRank, slow } = deviation;
  const optional = {
    ...(bias === undefined ? {} : { bias }),
    ...(keyPeriod === undefined ? {} : { keyPeriod }),
    ...(scale === undefined ? {} : { scale }),
    ...(softcap === undefined ? {} : { softcap }),
    ...(sinks === undefined ? {} : { sinks }),
    ...(gateRank === undefined ? {} : { gateRank }),
    ...(slow === undefined ? {} : { slow }),
  };
  const notes = Object.entries({ mask: mask === 'none' ? undefined : mask, bias, keyPeriod, scale, softcap, sinks })
    .filter(([, note]) => note !== undefined)
    .map(([key, note]) => `, ${key} ${note}`);
  const size = `${batch}x${heads}/${kvHeads}x${queries}x${n}x${headDim}`;
  const name = `${text} ${causal ? 'causal' : 'full'} ${size}${values === 'integer' ? ', integers' : ''}${notes.join('')}`;
  return { name, variant, parameters, shape, mask, values, exactLogits: values === 'integer', seed: seedOf(name), ...optional };
}

/** A seed that a case keeps when others are added (FNV-1a). */
function seedOf(name: string): number {
  let hash = 0x811c9dc5;
  for (const character of name) hash = Math.imul(hash ^ character.codePointAt(0)!, 0x01000193);
  return hash >>> 1;
}
