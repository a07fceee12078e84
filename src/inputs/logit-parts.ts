import type { HeadKind } from './head-kinds.ts';
import { cosSinPi } from './portable-math.ts';

/** How the dimensions of a head are divided: `content`, then two for each of `pairs`, then one `bias`; the rest is zero. */
export interface HeadLayout {
  readonly content: number;
  readonly pairs: number;
  /** The index of the bias's dimension. */
  readonly bias: number;
}

/** Content 24 and 16 pairs at headDim 64 and above; below, parts shrink, and the bias is the last to go. */
export function layOutHead(headDim: number): HeadLayout {
  const content = Math.min(24, Math.floor((3 * headDim) / 8));
  const pairs = Math.min(16, Math.floor((headDim - content - 1) / 2));
  return { content, pairs, bias: content + 2 * pairs };
}

/**
 * `[positions, pairs, 2]`: cos and sin of ω_m·p with ω_m = π/1.5^m, for p from `first` on, float64. Their products sum to
 * Σ a_m·cos(ω_m·(i − j)), a function of distance alone (as rotary embeddings': Su et al. 2021, section 3.2).
 */
export function positionWaves(first: number, positions: number, pairs: number): Float64Array {
  const waves = new Float64Array(positions * pairs * 2);
  let wavelength = 1;
  for (let pair = 0; pair < pairs; pair += 1) {
    for (let index = 0; index < positions; index += 1) {
      const [cos, sin] = cosSinPi((first + index) / wavelength);
      waves[(index * pairs + pair) * 2] = cos;
      waves[(index * pairs + pair) * 2 + 1] = sin;
    }
    wavelength *= 1.5;
  }
  return waves;
}

/** a_m ∝ (ω_m·ℓ)²/(1 + (ω_m·ℓ)²), normalised to Σ a_m = `kind.position`: the part of a logit at distance 0. */
export function pairAmplitudes(kind: HeadKind, pairs: number): Float64Array {
  const amplitudes = new Float64Array(pairs);
  let wavelength = 1;
  let sum = 0;
  for (let pair = 0; pair < pairs; pair += 1) {
    const reach = (Math.PI / wavelength) * kind.reach;
    amplitudes[pair] = (reach * reach) / (1 + reach * reach);
    sum += amplitudes[pair]!;
    wavelength *= 1.5;
  }
  return amplitudes.map((amplitude) => (amplitude * kind.position) / sum);
}
