import { requirePackage } from '../optional-package.ts';

/** Samples a second, between the starts of two windows, and in a window. */
export const sampleRate = 16_000;
export const hop = 160;
const windowLength = 400;
/** The transform's length: the window, and zeros. */
const transformLength = 512;
const bins = transformLength / 2 + 1;

/** What the sample needs of fft.js. */
interface FourierTransform {
  /** Room for complex numbers: real and imaginary parts in turn. */
  createComplexArray(): number[];
  /** Fills the first half and its end. */
  realTransform(output: number[], input: ArrayLike<number>): void;
}

/**
 * What Whisper takes of a sound: the energy of `bands` bands of the mel scale in windows of 25 ms, one every 10 ms, as logarithms within 80 dB of
 * the loudest, `[bands, samples/160]`. (The Fourier transform is of 512 samples, not of 400, as lengths that are powers of 2 are simple.)
 * @throws INVALID_DATA without the package of the transform
 */
export function logMel(samples: Float32Array, bands: number): Float32Array {
  const transform = new (requirePackage<new (length: number) => FourierTransform>('fft.js'))(transformLength);
  const filters = melFilters(bands);
  const windows = Math.floor(samples.length / hop);
  const logarithms = new Float32Array(bands * windows);
  const spectrum = transform.createComplexArray();
  const energies = new Float64Array(bins);
  for (let window = 0; window < windows; window += 1) {
    transform.realTransform(spectrum, windowed(samples, window * hop - windowLength / 2));
    for (let bin = 0; bin < bins; bin += 1) energies[bin] = spectrum[2 * bin]! ** 2 + spectrum[2 * bin + 1]! ** 2;
    for (const [band, { first, weights }] of filters.entries()) {
      const energy = weights.reduce((sum, weight, at) => sum + weight * energies[first + at]!, 0);
      logarithms[band * windows + window] = Math.log10(Math.max(1e-10, energy));
    }
  }
  const loudest = logarithms.reduce((most, value) => Math.max(most, value), -Infinity);
  return logarithms.map((value) => (Math.max(value, loudest - 8) + 4) / 4);
}

/** Samples from `start` on under Hann's window; silence before the sound and after it. */
function windowed(samples: Float32Array, start: number): Float64Array {
  const values = new Float64Array(transformLength);
  for (let at = 0; at < windowLength; at += 1)
    values[at] = (samples[start + at] ?? 0) * (0.5 - 0.5 * Math.cos((2 * Math.PI * at) / windowLength));
  return values;
}

/** A triangle of weights over bins. */
interface Filter {
  readonly first: number;
  readonly weights: readonly number[];
}

/** Triangles of equal area, evenly spaced on Slaney's mel scale from 0 Hz to half the sample rate. */
function melFilters(bands: number): readonly Filter[] {
  const highest = melOf(sampleRate / 2);
  const edge = (at: number) => hertzOf((highest * at) / (bands + 1));
  return Array.from({ length: bands }, (_, band) => {
    const [low, middle, high] = [edge(band), edge(band + 1), edge(band + 2)];
    const all = Array.from({ length: bins }, (_each, bin) => {
      const hertz = (bin * sampleRate) / transformLength;
      return (Math.max(0, Math.min((hertz - low) / (middle - low), (high - hertz) / (high - middle))) * 2) / (high - low);
    });
    const first = all.findIndex((weight) => weight > 0);
    return first < 0 ? { first: 0, weights: [] } : { first, weights: all.slice(first, all.findLastIndex((weight) => weight > 0) + 1) };
  });
}

/** Linear up to 1000 Hz, which are 15 mel; then logarithmic, 27 mel for each factor of 6.4. */
function melOf(hertz: number): number {
  return hertz < 1000 ? (3 * hertz) / 200 : 15 + (27 * Math.log(hertz / 1000)) / Math.log(6.4);
}

function hertzOf(mel: number): number {
  return mel < 15 ? (200 * mel) / 3 : 1000 * 6.4 ** ((mel - 15) / 27);
}
