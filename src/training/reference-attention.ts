import type { AttentionInputs, GateTensors } from '../contract/inputs.ts';
import type { Shape } from '../contract/shape.ts';
import { findVariant, parseVariant } from '../variants/index.ts';
import { referenceOutput } from '../variants/reference.ts';
import type { Weights } from './check-weights.ts';
import { alibiSlopes, rotaryAngles } from './positions.ts';
import { multiply } from './reference-layers.ts';
import { attentionDim } from './testbed.ts';
import type { Testbed } from './testbed.ts';

/** Where attention stands: which layer, and how many items of what length. */
export interface AttentionSite {
  readonly testbed: Testbed;
  readonly layer: number;
  readonly items: number;
  readonly length: number;
  /** Shown what the layer's attention reads. */
  readonly watch?: AttentionWatch | undefined;
}

export type AttentionWatch = (inputs: AttentionInputs, layer: number) => void;

type Part = 'query' | 'key' | 'value';

/** attend of a layer in float64: x `[items, length, width]` to the same. @throws INVALID_SHAPE */
export function attend(x: Float64Array, weights: Weights, site: AttentionSite): Float64Array {
  const { testbed, layer } = site;
  const square = { from: testbed.width, to: testbed.width };
  const matrix = (name: string) => weights.get(`layers.${layer}.attention.${name}`)!;
  const part = (name: Part) => headsOf(multiply(x, matrix(name), square), name, site);
  const inputs = attentionInputs({ query: part('query'), key: part('key'), value: part('value') }, weights, site);
  site.watch?.(inputs, layer);
  const { variant, parameters } = parseVariant(testbed.attention[layer]!);
  const output = referenceOutput(inputs, findVariant(variant), parameters);
  return multiply(joinHeads(output, site), matrix('output'), square);
}

/** Queries, keys and values of a layer, `[items, heads, length, attentionDim]`, as the attention of that layer reads them. */
export function attentionInputs(heads: Readonly<Record<Part, Float32Array>>, weights: Weights, site: AttentionSite): AttentionInputs {
  const { testbed, layer } = site;
  // ALiBi's dimension is no part of the heads' own: the scale stays theirs.
  const scale = 1 / Math.sqrt(testbed.width / testbed.heads);
  return { shape: shapeOf(site), ...heads, scale, ...gateOf(testbed, layer, weights) };
}

function shapeOf({ testbed, items, length }: AttentionSite): Shape {
  const { heads, causal } = testbed;
  return { batch: items, heads, kvHeads: heads, queries: length, keys: length, headDim: attentionDim(testbed), causal, dtype: 'f32' };
}

function gateOf(testbed: Testbed, layer: number, weights: Weights): { gate?: GateTensors } {
  const [u, w, b] = ['u', 'w', 'b'].map((name) => weights.get(`layers.${layer}.attention.gate.${name}`));
  if (u === undefined || w === undefined || b === undefined) return {};
  return { gate: { rank: u.length / (testbed.heads * attentionDim(testbed)), u, w, b } };
}

/**
 * `[items, length, width]` to `[items, heads, length, attentionDim]`, with positions. Rounded to f32: variants are defined on f32
 * inputs, as kernels get them. That moves each element by 2⁻²⁴ of itself at most, less than any f32 product it came from.
 */
function headsOf(projected: Float64Array, part: Part, { testbed, items, length }: AttentionSite): Float32Array {
  const { heads, width, position } = testbed;
  const own = width / heads;
  const dim = attentionDim(testbed);
  const angles = position === 'rotary' && part !== 'value' ? rotaryAngles(length, own) : undefined;
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
function joinHeads(output: Float64Array, { testbed, items, length }: AttentionSite): Float64Array {
  const { heads, width } = testbed;
  const own = width / heads;
  const dim = attentionDim(testbed);
  const result = new Float64Array(items * length * width);
  for (let item = 0; item < items; item++)
    for (let head = 0; head < heads; head++)
      for (let p = 0; p < length; p++) {
        const from = ((item * heads + head) * length + p) * dim;
        result.set(output.subarray(from, from + own), (item * length + p) * width + head * own);
      }
  return result;
}
