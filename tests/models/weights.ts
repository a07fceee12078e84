import { RandomStream } from '../../src/inputs/random.ts';
import { size } from './architecture.ts';
import type { Architecture } from './architecture.ts';

/** `x · weight + bias`; weight `[inputs, outputs]`, row-major. */
export interface Affine {
  /** Its place in the module. */
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}

export interface Norm {
  readonly name: string;
  readonly gain: Float32Array;
  readonly bias: Float32Array;
}

export interface AttentionWeights {
  readonly name: string;
  readonly query: Affine;
  readonly key: Affine;
  readonly value: Affine;
  readonly output: Affine;
}

export interface LayerWeights {
  readonly self: AttentionWeights;
  readonly cross: AttentionWeights;
  readonly up: Affine;
  readonly down: Affine;
  readonly selfNorm: Norm;
  readonly crossNorm: Norm;
  readonly innerNorm: Norm;
}

export interface Weights {
  /** `[vocabulary, hidden]` */
  readonly embedding: Float32Array;
  /** `[positions, hidden]` */
  readonly positions: Float32Array;
  readonly layers: readonly LayerWeights[];
  readonly lastNorm: Norm;
  /** Bias of the logits by distance, clipped to −8 … 7: `[16, heads]` */
  readonly distances: Float32Array;
}

/** All weights of an architecture. Each depends on seed and name alone, so all idioms of one architecture share them. */
export function drawWeights({ layers }: Architecture, seed: number): Weights {
  const { hidden, inner, vocabulary, positions, heads } = size;
  return {
    embedding: drawn(seed, 'embedding', vocabulary * hidden, 1),
    positions: drawn(seed, 'positions', positions * hidden, 0.5),
    layers: layers.map(({ kvHeads }, index) => {
      const place = `layer.${index}`;
      return {
        self: attention(seed, `${place}.attention`, kvHeads),
        cross: attention(seed, `${place}.cross`, kvHeads),
        up: affine(seed, `${place}.intermediate.dense`, hidden, inner),
        down: affine(seed, `${place}.output.dense`, inner, hidden),
        selfNorm: norm(seed, `${place}.attention.norm`),
        crossNorm: norm(seed, `${place}.cross.norm`),
        innerNorm: norm(seed, `${place}.output.norm`),
      };
    }),
    lastNorm: norm(seed, 'norm'),
    distances: drawn(seed, 'distances', 16 * heads, 1),
  };
}

function attention(seed: number, name: string, kvHeads: number): AttentionWeights {
  const { hidden, heads, headDim } = size;
  return {
    name,
    query: affine(seed, `${name}.query`, hidden, heads * headDim, 1.5),
    key: affine(seed, `${name}.key`, hidden, kvHeads * headDim, 1.5),
    value: affine(seed, `${name}.value`, hidden, kvHeads * headDim),
    output: affine(seed, `${name}.output`, heads * headDim, hidden),
  };
}

export function affine(seed: number, name: string, inputs: number, outputs: number, gain = 1): Affine {
  const weight = drawn(seed, `${name}.weight`, inputs * outputs, gain / Math.sqrt(inputs));
  return { name, inputs, outputs, weight, bias: drawn(seed, `${name}.bias`, outputs, 0.1) };
}

function norm(seed: number, name: string): Norm {
  const gain = drawn(seed, `${name}.weight`, size.hidden, 0.1).map((value) => 1 + value);
  return { name, gain, bias: drawn(seed, `${name}.bias`, size.hidden, 0.1) };
}

export function drawn(seed: number, name: string, count: number, deviation: number): Float32Array {
  return new RandomStream(seed, name).fillNormal(new Float32Array(count), deviation);
}

/** Affine maps of the same inputs side by side: `[inputs, Σ outputs]`. */
export function joined(name: string, parts: readonly Affine[]): Affine {
  const inputs = parts[0]!.inputs;
  const outputs = parts.reduce((sum, part) => sum + part.outputs, 0);
  const rows = Array.from({ length: inputs }, (_, row) =>
    parts.flatMap((part) => [...part.weight.subarray(row * part.outputs, (row + 1) * part.outputs)]),
  );
  return { name, inputs, outputs, weight: Float32Array.from(rows.flat()), bias: Float32Array.from(parts.flatMap(({ bias }) => [...bias])) };
}
