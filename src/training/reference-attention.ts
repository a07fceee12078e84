import type { AttentionInputs, GateTensors } from '../contract/inputs.ts';
import { findVariant, parseVariant } from '../variants/index.ts';
import { referenceOutput } from '../variants/reference.ts';
import type { Weights } from './check-weights.ts';
import { alibiSlopes, anglesOf } from './positions.ts';
import { multiply } from './reference-layers.ts';
import { attentionDim, siteShape } from './testbed.ts';
import type { BatchSizes, Site, Testbed } from './testbed.ts';

/** An attention at work on a batch. */
export interface AttentionCall {
  readonly testbed: Testbed;
  readonly site: Site;
  readonly sizes: BatchSizes;
  /** `[items, source length, width]`: what cross-attention reads keys and values from. */
  readonly memory?: Float64Array | undefined;
  /** Shown what the attention reads. */
  readonly watch?: AttentionWatch | undefined;
}

export type AttentionWatch = (inputs: AttentionInputs, site: Site) => void;

type Part = 'query' | 'key' | 'value';

/** attend, or cross, in float64: x `[items, length, width]` to the same. @throws INVALID_SHAPE */
export function attend(x: Float64Array, weights: Weights, call: AttentionCall): Float64Array {
  const { testbed, site, memory = x, watch } = call;
  const square = { from: testbed.width, to: testbed.width };
  const matrix = (name: string) => weights.get(`${site.name}.${name}`)!;
  const part = (name: Part) => headsOf(multiply(name === 'query' ? x : memory, matrix(name), square), name, call);
  const inputs = attentionInputs({ query: part('query'), key: part('key'), value: part('value') }, weights, call);
  watch?.(inputs, site);
  const { variant, parameters } = parseVariant(site.attention);
  const output = referenceOutput(inputs, findVariant(variant), parameters);
  return multiply(joinHeads(output, call), matrix('output'), square);
}

/** Queries, keys and values, `[items, heads, length, attentionDim]`, as an attention reads them. */
export function attentionInputs(heads: Readonly<Record<Part, Float32Array>>, weights: Weights, call: AttentionCall): AttentionInputs {
  const { testbed, site, sizes } = call;
  // ALiBi's dimension is no part of the heads' own: the scale stays theirs.
  const scale = 1 / Math.sqrt(testbed.width / testbed.heads);
  return { shape: siteShape(testbed, site, sizes), ...heads, scale, ...gateOf(testbed, site, weights) };
}

function gateOf(testbed: Testbed, site: Site, weights: Weights): { gate?: GateTensors } {
  const [u, w, b] = ['u', 'w', 'b'].map((name) => weights.get(`${site.name}.gate.${name}`));
  if (u === undefined || w === undefined || b === undefined) return {};
  return { gate: { rank: u.length / (testbed.heads * attentionDim(testbed)), u, w, b } };
}

/**
 * `[items, length, width]` to `[items, heads, length, attentionDim]`, with positions. Rounded to f32: variants are defined on f32
 * inputs, as kernels get them. That moves each element by 2⁻²⁴ of itself at most, less than any f32 product it came from.
 */
function headsOf(projected: Float64Array, part: Part, { testbed, site, sizes: { items } }: AttentionCall): Float32Array {
  const { heads, width, position } = testbed;
  const own = width / heads;
  const dim = attentionDim(testbed);
  const length = projected.length / (items * width);
  const angles = part !== 'value' && site.kind !== 'cross' ? anglesOf(testbed, length, own) : undefined;
  const slopes = position === 'alibi' ? alibiSlopes(heads) : undefined;
  const result = new Float32Array(items * heads * length * dim);
  for (let item = 0; item < items; item++)
    for (let head = 0; head < heads; head++)
      for (let p = 0; p < length; p++) {
        const from = (item * length + p) * width + head * own;
        const vector = projected.subarray(from, from + own);
        const to = ((item * heads + head) * length + p) * dim;
        result.set(angles === undefined ? vector : turned(vector, angles.subarray((p * own) / 2, ((p + 1) * own) / 2)), to);
        if (slopes !== undefined) result[to + own] = alibiElement(part, { slope: slopes[head]! * Math.sqrt(own), position: p });
      }
  return result;
}

/** Dimension m pairs with m + d/2, and the pair turns by the m-th angle. */
function turned(vector: Float64Array, angles: Float64Array): Float64Array {
  const half = angles.length;
  return vector.map((value, at) => {
    const angle = angles[at % half]!;
    const partner = at < half ? -vector[at + half]! : vector[at - half]!;
    return value * Math.cos(angle) + partner * Math.sin(angle);
  });
}

/**
 * ALiBi as one more dimension: c·(slope/c)·j adds slope·j to the logit of key j. The bias is −slope·(i − j): its part −slope·i is the same
 * for a whole row, and softmax does not see it. `slope` is divided by c.
 */
function alibiElement(part: Part, { slope, position }: { slope: number; position: number }): number {
  return { query: slope, key: position, value: 0 }[part];
}

/** `[items, heads, length, attentionDim]` to `[items, length, width]`; ALiBi's dimension is dropped. */
function joinHeads(output: Float64Array, { testbed, sizes: { items } }: AttentionCall): Float64Array {
  const { heads, width } = testbed;
  const own = width / heads;
  const dim = attentionDim(testbed);
  const length = output.length / (items * heads * dim);
  const result = new Float64Array(items * length * width);
  for (let item = 0; item < items; item++)
    for (let head = 0; head < heads; head++)
      for (let p = 0; p < length; p++) {
        const from = ((item * heads + head) * length + p) * dim;
        result.set(output.subarray(from, from + own), (item * length + p) * width + head * own);
      }
  return result;
}
