import type { Span } from '../../contract/span.ts';
import type { Candidate, Declared } from './candidate.ts';
import type { LogitPath, PathRun } from './logit-path.ts';
import { readPath } from './logit-path.ts';
import { addedBy, numbersOf } from './mask-sources.ts';
import { softcapIn } from './soft-cap.ts';

/** Below this a logit is masked: exporters write −10 000, the type's lowest number, or −∞. */
export const maskedBelow = -1000;

/** Largest term of a logit that rounding explains, by the type in which a site computes. */
export const tolerances = { f32: 1e-4, f16: 2e-2 } as const;

/** Sizes of an attention in one run. */
export interface PairSizes {
  readonly batch: number;
  readonly heads: number;
  readonly queries: number;
  readonly keys: number;
  /** Where not all rows were watched, those that were. */
  readonly rows?: readonly number[];
}

/** What a site does to its products in one run. */
export interface MaskReading {
  readonly sizes: PairSizes;
  /** By which products are multiplied. */
  readonly scale: number;
  /** Caps the scaled products softly, before anything is added to them; absent where nothing does. */
  readonly softcap?: number;
  /** The rows that were looked at, the last among them. */
  readonly rows: readonly number[];
  /** Which pairs it lets through, `[batch, rows, keys]`. */
  readonly allowed: Uint8Array;
  /** What it does beside a scale and a mask that all heads share. */
  readonly problem?: string;
  /** What it does beside a scale and a bias. */
  readonly nonlinear?: string;
  /** What it adds to the product of a pair; `row` counts those that were looked at. */
  readonly added: (batch: number, head: number, row: number, column: number) => number;
  /** Whether heads may have biases, or masks, of their own. */
  readonly headsDiffer: boolean;
}

/** Fills a row with the logits that become of one product. */
type LogitsOf = (batch: number, head: number, row: number, product: number, values: Float64Array) => void;

interface Rule {
  readonly logits: LogitsOf;
  /** What becomes of weights behind the softmax; absent where they stay what they are. */
  readonly weights?: (batch: number, head: number, row: number, values: Float64Array) => void;
  readonly headsDiffer: boolean;
  /** Whether all pairs of a head fare alike: one is then enough. */
  readonly isUniform: boolean;
  /** Whether all rows of a head do. */
  readonly rowsAlike: boolean;
  /** Whether a logit may be anything but a multiple of its product and a term. */
  readonly mayBend: boolean;
}

/**
 * Reads scale, mask and whatever is added off what meets a candidate's logits in a run, without the logits themselves: a product of 0, of 1 and
 * of what gives {@link largeLogits} is followed along the path.
 * @returns why it cannot be read, as a string; undefined where its sizes do not go together
 */
export function readMasks(candidate: Candidate, run: PathRun, sizes: PairSizes, tolerance: number): MaskReading | string | undefined {
  const { path, declared } = candidate;
  const rule = path !== undefined ? pathRule(path, run, sizes) : declaredRule(declared!, run, sizes);
  if (rule === undefined || typeof rule === 'string') return rule;
  const factor = path === undefined ? 1 : keyFactorOf(path, run);
  if (typeof factor === 'string') return factor;
  const softcap = softcapIn(candidate, run.tensor);
  if (Number.isNaN(softcap)) return 'its soft cap differs from pair to pair';
  const scan = scanPairs(rule, sizes, tolerance);
  return typeof scan === 'string' ? scan : { ...scan, scale: scan.scale * factor, ...(softcap !== undefined && { softcap }) };
}

function pathRule(path: LogitPath, run: PathRun, { batch, heads, queries, keys, rows }: PairSizes): Rule | string | undefined {
  const dims = run.dims(path.product.output[0]!);
  const leads = dims.slice(0, -2).reduce((product, size) => product * size, 1);
  if (dims.at(-1) !== keys || dims.at(-2) !== (rows?.length ?? queries) || leads !== batch * heads)
    return 'its logits are not [batch, heads, queries, keys]';
  const read = readPath(path, run);
  if (read === undefined || typeof read === 'string') return read;
  const headsDiffer = read.leads.some((offsets) => offsets.some((offset, lead) => offset !== offsets[lead - (lead % heads)]));
  const { isUniform, rowsAlike, mayBend, weight } = read;
  return {
    headsDiffer,
    isUniform,
    rowsAlike,
    mayBend,
    logits: (b, h, i, product, values) => read.logits(b * heads + h, i, product, values),
    ...(weight !== undefined && { weights: (b, h, i, values) => weight(b * heads + h, i, values) }),
  };
}

function declaredRule({ causal, masks, window }: Declared, run: PathRun, sizes: PairSizes): Rule | undefined {
  const watched = { ...sizes, queries: sizes.rows?.length ?? sizes.queries };
  const added = masks.map(({ tensor, rule }) => {
    const values = run.tensor(tensor);
    return { at: values === undefined ? undefined : addedBy(values, rule, watched), heads: values?.dims.at(-3) ?? 1 };
  });
  if (added.some(({ at }) => at === undefined)) return undefined;
  const offset = causal === 'first' ? 0 : sizes.keys - sizes.queries;
  const counts = typeof causal === 'object' ? numbersOf(run.tensor(causal.counts)!) : undefined;
  const ends = window?.ends === undefined || offset === 0 ? undefined : numbersOf(run.tensor(window.ends)!);
  const start = (b: number, end: number) =>
    window === undefined ? 0 : end - window.keys - (ends === undefined ? 0 : sizes.keys - ends[b]! - 1);
  const logits: LogitsOf = (b, h, i, product, row) => {
    row.fill(product);
    const end = causal === false ? row.length : (sizes.rows?.[i] ?? i) + 1 + (counts === undefined ? offset : counts[b]! - sizes.queries);
    const from = start(b, end);
    for (let j = 0; j < row.length; j++) {
      if (j >= end || j < from) row[j] = -Infinity;
      else for (const { at } of added) row[j]! += at!(b, h, i, j);
    }
  };
  const isUniform = causal === false && masks.length === 0;
  return { headsDiffer: added.some(({ heads }) => heads > 1), isUniform, rowsAlike: isUniform, mayBend: false, logits };
}

/** What stands between the keys that a site reads and its product. */
function keyFactorOf({ factor, keyFactors }: LogitPath, run: PathRun): number | string {
  let result = factor;
  for (const { tensor, divides } of keyFactors) {
    const values = run.tensor(tensor) === undefined ? [] : [...numbersOf(run.tensor(tensor)!)];
    const [first = Number.NaN] = values;
    if (values.some((value) => value !== first) || !(Math.abs(first) > 0)) return `its keys are scaled individually (${tensor})`;
    result = divides ? result / first : result * first;
  }
  return result;
}

/** Scaled products by which a bend shows: almost as low as what is masked, and larger than those of any trained model. */
const largeLogits = [0.9 * maskedBelow, 1e4];

function scanPairs(rule: Rule, all: PairSizes, tolerance: number): MaskReading | string {
  const { headsDiffer, isUniform } = rule;
  const sizes = isUniform ? { ...all, queries: 1, keys: 1, rows: [0] } : all;
  const { batch, heads, queries, keys } = sizes;
  const planes = headsDiffer ? batch * heads : batch;
  const rows = sizes.rows ?? Array.from({ length: queries }, (_, row) => row);
  const allowed = new Uint8Array(batch * rows.length * keys);
  const [terms, ones, weights] = [new Float64Array(keys), new Float64Array(keys), new Float64Array(keys)];
  const large = largeLogits.map((logit) => ({ logit, product: 0, logits: new Float64Array(keys) }));
  let scale: number | undefined;
  let most = 0;
  let nonlinear: string | undefined;
  let masksDiffer = false;
  for (let plane = 0; plane < planes; plane++) {
    const [b, h] = headsDiffer ? [Math.floor(plane / heads), plane % heads] : [plane, 0];
    for (let i = 0; i < rows.length; i++) {
      const start = (b * rows.length + i) * keys;
      // What all rows share is read once; a bend is looked for at other keys in each.
      if (i === 0 || !rule.rowsAlike || rule.mayBend) {
        rule.logits(b, h, i, 0, terms);
        rule.logits(b, h, i, 1, ones);
        if (rule.weights !== undefined) {
          terms.forEach((term, j) => (weights[j] = term < maskedBelow ? 0 : 1));
          rule.weights(b, h, i, weights);
        }
        if (rule.mayBend) {
          const seen = terms.findIndex((term) => term >= maskedBelow);
          const unit = ones[seen]! - terms[seen]!;
          for (const each of large) {
            each.product = each.logit / unit;
            rule.logits(b, h, i, each.product, each.logits);
          }
        }
      } else if (h === 0) {
        allowed.copyWithin(start, start - keys, start);
        continue;
      }
      for (let j = 0; j < keys; j++) {
        const term = terms[j]!;
        if (Number.isNaN(term)) return 'its logits are NaN';
        const open = term < maskedBelow ? 0 : 1;
        if (h > 0 && allowed[start + j] !== open) masksDiffer = true;
        if (h === 0 || open === 1) allowed[start + j] = open;
        if (rule.weights !== undefined && Math.abs(weights[j]! - open) > tolerance)
          nonlinear ??= 'its weights are changed after the softmax';
        if (open === 0) continue;
        const factor = ones[j]! - term;
        scale ??= factor;
        if (Math.abs(factor - scale) > 1e-5 * Math.abs(scale) + tolerance * 1e-3) nonlinear ??= 'its scale differs between heads or pairs';
        if (Math.abs(term) > most) most = Math.abs(term);
        // Caps and clips show on large products; they are the same for all pairs of a row.
        if (rule.mayBend && j % 64 === i % 64 && large.some(({ product, logits }) => isBent(logits[j]!, term + factor * product)))
          nonlinear ??= 'its logits are capped or clipped';
      }
    }
  }
  const beyond =
    most > tolerance
      ? `its logits are more than a scaled product and a mask: up to ${most.toPrecision(3)} more (a position bias)`
      : undefined;
  const problem = nonlinear ?? (masksDiffer ? 'its heads have different masks' : beyond);
  const reading = {
    scale: scale ?? Number.NaN,
    ...(problem !== undefined && { problem }),
    ...(nonlinear !== undefined && { nonlinear }),
    added: addedIn(rule.logits, keys),
    headsDiffer,
  };
  if (!isUniform) return { ...reading, sizes, rows, allowed };
  const last = [all.queries - 1];
  const spread = Uint8Array.from({ length: batch * all.keys }, (_, at) => allowed[Math.floor(at / all.keys)]!);
  return { ...reading, sizes: all, rows: last, allowed: spread };
}

/** What is added to the product of a pair; a row is worked out when it is first asked for. */
function addedIn(logits: LogitsOf, keys: number): MaskReading['added'] {
  const terms = new Float64Array(keys);
  let known: readonly number[] = [];
  return (b, h, i, j) => {
    if (known[0] !== b || known[1] !== h || known[2] !== i) logits(b, h, i, 0, terms);
    known = [b, h, i];
    return terms[j]!;
  };
}

function isBent(logit: number, expected: number): boolean {
  return expected > maskedBelow && Math.abs(logit - expected) > 1e-3 * (1 + Math.abs(expected));
}

/** Of a key that lies in the span of no row that was looked at: nothing says whether it is kept. */
export const unseenKey = 2;

/**
 * The keys that a mask keeps, `[batch, keys]`, where the pairs that it lets through are those of a padding mask within a span: 1 kept, 0 not,
 * {@link unseenKey}. Undefined where they are not. A single query fits many spans.
 */
export function keptKeys(
  { allowed, rows, sizes: { batch, queries, keys } }: MaskReading,
  { left, right }: Span,
): Uint8Array<ArrayBuffer> | undefined {
  const keep = new Uint8Array(batch * keys).fill(unseenKey);
  for (let start = 0, b = 0; b < batch; b++)
    for (let place = 0; place < rows.length; place++, start += keys) {
      const position = rows[place]! + keys - queries;
      for (let column = 0; column < keys; column++) {
        const open = allowed[start + column]!;
        const slot = b * keys + column;
        const known = column < position - left || column > position + right ? 0 : keep[slot];
        if (known === unseenKey) keep[slot] = open;
        else if (known !== open) return undefined;
      }
    }
  return keep;
}

/** In words, what a mask is that is neither padding nor causal. */
export function otherMask({ allowed, rows, sizes: { batch, queries, keys } }: MaskReading): string {
  const slots = rows.length * keys;
  const rowOf = (b: number, place: number) => allowed.subarray(b * slots + place * keys, b * slots + (place + 1) * keys);
  const elements = Array.from({ length: batch }, (_, b) => b);
  const blind = elements.some(
    (b) => rows.some((_, place) => !rowOf(b, place).includes(1)) && rows.some((_, place) => rowOf(b, place).includes(1)),
  );
  const seeing = elements.every((b) => {
    const open = rows.map((_, place) => rowOf(b, place)).filter((row) => row.includes(1));
    return open.every((row) => Buffer.compare(row, open[0]!) === 0);
  });
  if (blind && seeing) return 'its mask hides whole queries, not only keys';
  const first = elements.every((b) => rows.every((row, place) => rowOf(b, place).every((open, j) => open === (j <= row ? 1 : 0))));
  if (first && queries < keys) return 'its causal mask is aligned with the first key; kernels align it with the last';
  return 'its mask is neither padding nor causal';
}

/** By which a fused operator multiplies its products. */
export function operatorScale({ declared }: Candidate, headDim: number): number {
  return declared === undefined ? 1 : (declared.scale ?? 1 / Math.sqrt(headDim));
}

/** Whether no query of a run sees a later key, in any head. */
export function isCausal({ allowed, rows, sizes: { queries, keys } }: MaskReading): boolean {
  for (let start = 0; start < allowed.length;)
    for (let place = 0; place < rows.length; place++, start += keys)
      if (allowed.subarray(start + Math.max(0, rows[place]! + keys - queries + 1), start + keys).includes(1)) return false;
  return true;
}

/** Whether the last query of some batch element does not see the last key: it is no query of that position. */
export function hidesLastKey({ allowed, rows, sizes: { keys } }: MaskReading): boolean {
  for (let end = rows.length * keys; end <= allowed.length; end += rows.length * keys) if (allowed[end - 1] === 0) return true;
  return false;
}

/** Whether no query of a run sees any key: it then says nothing of the mask. */
export function isBlind({ allowed }: MaskReading): boolean {
  return !allowed.includes(1);
}
