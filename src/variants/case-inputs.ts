import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { AttentionInputs, BiasTensor, GateTensors } from '../contract/inputs.ts';
import { removedBelow } from '../contract/inputs.ts';
import type { Shape } from '../contract/shape.ts';

/** Which keys are padding: none, the last ones, the first ones, some at random, or all of the last batch element's. */
export const maskKinds = ['none', 'tail', 'left', 'holes', 'element'] as const;
export type MaskKind = (typeof maskKinds)[number];

/** A bias on the logits: none, one of its own for each head, for each batch element, or for each key; each removes some pairs, and is exact in every dtype. */
export const biasKinds = ['none', 'heads', 'elements', 'keys'] as const;
export type BiasKind = (typeof biasKinds)[number];

/** `normal`: independent standard normal; `integer`: small whole numbers, so that f32 logits are exact and ties abound. */
export const valueKinds = ['normal', 'integer'] as const;
export type ValueKind = (typeof valueKinds)[number];

/** What a conformance case's tensors are drawn from. */
export interface CaseInputs {
  readonly shape: Shape;
  readonly mask: MaskKind;
  readonly values: ValueKind;
  readonly bias?: BiasKind;
  readonly seed: number;
  /** Key j equals key j mod `keyPeriod`, its value does not: exact ties. */
  readonly keyPeriod?: number;
  /** 1/√headDim where absent. */
  readonly scale?: number;
  /** Caps the logits softly; none where absent. */
  readonly softcap?: number;
  /** Whether there are attention sinks. */
  readonly sinks?: true;
  /** The gate's rank; a quarter of headDim where absent. */
  readonly gateRank?: number;
}

type Draw = () => number;

/** Draws a case's tensors; the same case gives the same numbers. A gate is always among them. */
export function createCaseInputs(given: CaseInputs): AttentionInputs {
  const { shape, seed } = given;
  const uniform = uniformDraw(seed);
  const draw = given.values === 'normal' ? normalDraw(uniform) : wholeDraw(uniform, 2);
  const query = fill(shape.batch * shape.heads * shape.queries * shape.headDim, draw);
  const key = fill(shape.batch * shape.kvHeads * shape.keys * shape.headDim, draw);
  const value = fill(key.length, given.values === 'normal' ? draw : wholeDraw(uniform, 8));
  if (given.keyPeriod !== undefined) repeatKeys(key, shape, given.keyPeriod);
  const gate = drawGate(given, uniform);
  const inputs = { shape, query, key, value, scale: given.scale ?? 1 / Math.sqrt(shape.headDim), gate };
  const { mask, bias = 'none', softcap, sinks } = given;
  return {
    ...inputs,
    ...(mask !== 'none' && { mask: drawMask(shape, mask, uniform) }),
    ...(bias !== 'none' && { bias: drawBias(shape, bias, uniform) }),
    ...(softcap !== undefined && { softcap }),
    ...(sinks === true && { sinks: fill(shape.heads, () => Math.round(32 * normalDraw(uniform)()) / 16) }),
  };
}

function drawBias({ batch, heads, queries, keys, dtype }: Shape, kind: Exclude<BiasKind, 'none'>, uniform: Draw): BiasTensor {
  const dims = ({ heads: [1, heads, queries, keys], elements: [batch, 1, queries, keys], keys: [batch, heads, 1, keys] } as const)[kind];
  const normal = normalDraw(uniform);
  const count = dims.reduce((product, size) => product * size, 1);
  // One query in five of a batch element sees nothing at all.
  const isBlind = (index: number) => kind === 'elements' && Math.floor(index / keys) % 5 === 3;
  const at = (index: number) => (uniform() < 0.2 || isBlind(index) ? 2 * removedBelow[dtype] : Math.round(128 * normal()) / 64);
  return { dims, values: Float32Array.from({ length: count }, (_, index) => at(index)) };
}

function drawGate({ shape, values, gateRank }: CaseInputs, uniform: Draw): GateTensors {
  const rank = gateRank ?? Math.max(1, Math.floor(shape.headDim / 4));
  const size = shape.heads * shape.headDim * rank;
  if (values === 'integer') {
    const whole = wholeDraw(uniform, 1);
    return { rank, u: fill(size, whole), w: fill(size, whole), b: new Float32Array(shape.heads) };
  }
  const normal = normalDraw(uniform);
  const draw = () => normal() / Math.sqrt(shape.headDim);
  return { rank, u: fill(size, draw), w: fill(size, draw), b: fill(shape.heads, () => normal() / 2) };
}

/** `[batch, keys]`: 1 keeps a key. Each batch element has its own padding. */
function drawMask(shape: Shape, kind: MaskKind, uniform: Draw): Uint8Array {
  const { batch, keys } = shape;
  return Uint8Array.from({ length: batch * keys }, (_, index) => {
    const element = Math.floor(index / keys);
    const padded = Math.ceil((keys * (element + 1)) / (batch + 3));
    const j = index % keys;
    if (kind === 'tail') return j < keys - padded ? 1 : 0;
    if (kind === 'left') return j < padded ? 0 : 1;
    if (kind === 'holes') return uniform() < 0.3 ? 0 : 1;
    return element === batch - 1 ? 0 : 1;
  });
}

function repeatKeys(key: Float32Array, shape: Shape, period: number): void {
  const head = shape.keys * shape.headDim;
  const span = period * shape.headDim;
  for (let index = 0; index < key.length; index++) {
    if (index % head >= span) key[index] = key[index - span]!;
  }
}

function fill(length: number, draw: Draw): Float32Array {
  return Float32Array.from({ length }, draw);
}

function uniformDraw(seed: number): Draw {
  const generator = xoroshiro128plus(seed);
  // xoroshiro's first numbers from nearby seeds are alike.
  for (let skipped = 0; skipped < 16; skipped++) generator.next();
  return () => (generator.next() >>> 0) / 2 ** 32;
}

/** Whole numbers from −most to most. */
function wholeDraw(uniform: Draw, most: number): Draw {
  return () => Math.floor(uniform() * (2 * most + 1)) - most;
}

/** Standard normal (Box and Muller 1958). */
function normalDraw(uniform: Draw): Draw {
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}
