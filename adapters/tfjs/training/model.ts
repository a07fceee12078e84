import type { LayerAttention } from '../../../src/contract/training.ts';
import { sinusoidalTable } from '../../../src/training/positions.ts';
import { leaving } from '../../../src/training/answers.ts';
import type { TokenBatch } from '../../../src/training/answers.ts';
import { exitsByPosition, exitsOf } from '../../../src/training/testbed.ts';
import type { Tensor } from '../kernel.ts';
import { Attention } from './attention.ts';
import type { GateTensors } from './gate.ts';
import { joinHeads, placed, splitHeads } from './heads.ts';
import { firstRows, gelu, normalise, shiftRows } from './layers.ts';
import type { TrainingSite } from './site.ts';

/** May look at, or replace, the heads' outputs of a layer, `[heads·batch, length, width/heads]`. */
export type Tap = (output: Tensor, layer: number) => Tensor;

/** The testbed's forward pass in tfjs operations. What it computes is told in src/contract/testbed.ts. */
export class Model {
  readonly #site: TrainingSite;
  #attention: Attention[] = [];
  #given = '';

  constructor(site: TrainingSite) {
    this.#site = site;
  }

  /** The attention of every layer from now on. */
  use(attention: readonly LayerAttention[]): void {
    const given = JSON.stringify(attention);
    if (given !== this.#given) this.#attention = attention.map((layer) => new Attention(this.#site, layer));
    this.#given = given;
  }

  /** Logits `[batch·length, classes]` of every exit, the last layer's at the end. Weights are read by name, matrices `[in, out]`. */
  exitLogits(weights: ReadonlyMap<string, Tensor>, batch: TokenBatch, tap: Tap = (output) => output): Tensor[] {
    const { tf, testbed, products } = this.#site;
    const { normPlacement } = testbed;
    const weight = (name: string) => weights.get(name)!;
    const norm = (x: Tensor, name: string) => normalise(tf, x, weight(`${name}.weight`), weights.get(`${name}.bias`));
    const head = (x: Tensor) => products.multiply(normPlacement === 'before' ? norm(x, 'norm') : x, weight('head'));
    const exits = exitsOf(testbed);
    const left = new Set<number>();
    const logits: Tensor[] = [];
    let x = this.#embed(weights, batch);
    for (const layer of testbed.attention.keys()) {
      const name = `layers.${layer}`;
      const attend = (values: Tensor) => this.#attend(weights, values, { layer, length: batch.length, tap });
      const mlp = (values: Tensor) =>
        products.multiply(gelu(tf, products.multiply(values, weight(`${name}.mlp.in`))), weight(`${name}.mlp.out`));
      const before = x;
      if (normPlacement === 'before') {
        x = tf.add(x, attend(norm(x, `${name}.norm1`)));
        x = tf.add(x, mlp(norm(x, `${name}.norm2`)));
      } else {
        x = norm(tf.add(x, attend(x)), `${name}.norm1`);
        x = norm(tf.add(x, mlp(x)), `${name}.norm2`);
      }
      if (left.size > 0) x = this.#copied(before, x, left);
      const exit = exits.find(({ layers }) => layers === layer + 1);
      if (exit === undefined) continue;
      const own = head(x);
      logits.push(own);
      if (exitsByPosition(testbed)) for (const place of leaving(testbed, batch, own.dataSync<'float32'>(), exit)) left.add(place);
    }
    return logits;
  }

  /** `after` `[batch·length, width]`, with the rows of `before` at the places that have left. */
  #copied(before: Tensor, after: Tensor, left: ReadonlySet<number>): Tensor {
    const { tf, testbed } = this.#site;
    const marks = Float32Array.from({ length: after.size }, (_, at) => Number(left.has(Math.floor(at / testbed.width))));
    const shape: [number, number] = [marks.length / testbed.width, testbed.width];
    const kept = tf.tensor2d(marks, shape);
    const fresh = tf.tensor2d(
      marks.map((mark) => 1 - mark),
      shape,
    );
    return tf.add(tf.mul(before, kept), tf.mul(after, fresh));
  }

  /** `[batch·length, width]`. Looked up by a product: the gradient of a gather is an operation that WebAssembly has not. */
  #embed(weights: ReadonlyMap<string, Tensor>, { tokens, length }: TokenBatch): Tensor {
    const { tf, testbed, products, constants } = this.#site;
    const { vocabulary, width, position } = testbed;
    // Not tfjs's oneHot, whose ones in WebAssembly are the bits of an integer 1 where f32 is asked for.
    const marks = new Float32Array(tokens.length * vocabulary);
    for (const [at, token] of tokens.entries()) marks[at * vocabulary + token] = 1;
    const x = products.fromLeft(tf.tensor2d(marks, [tokens.length, vocabulary]), weights.get('embed')!);
    const places =
      position === 'sinusoidal'
        ? constants.once(`sinusoidal/${length}`, (place) => place(Float32Array.from(sinusoidalTable(length, width)), [length, width]))
        : weights.get('position');
    if (places === undefined) return x;
    const sequences = tf.reshape(x, [tokens.length / length, length * width]);
    const moved = shiftRows(tf, sequences, tf.reshape(firstRows(tf, places, length), [length * width]));
    return tf.reshape(moved, [tokens.length, width]);
  }

  #attend(weights: ReadonlyMap<string, Tensor>, x: Tensor, { layer, length, tap }: { layer: number; length: number; tap: Tap }): Tensor {
    const { products } = this.#site;
    const name = `layers.${layer}.attention`;
    const part = (which: string) => splitHeads(this.#site, products.multiply(x, weights.get(`${name}.${which}`)!), length);
    const gate = gateOf(weights, name);
    const output = this.#attention[layer]!.attend({
      query: placed(this.#site, part('query'), 'query'),
      key: placed(this.#site, part('key'), 'key'),
      value: part('value'),
      ...(gate !== undefined && { gate }),
    });
    return products.multiply(joinHeads(this.#site, tap(output, layer)), weights.get(`${name}.output`)!);
  }
}

function gateOf(weights: ReadonlyMap<string, Tensor>, name: string): GateTensors | undefined {
  const [u, w, b] = ['u', 'w', 'b'].map((part) => weights.get(`${name}.gate.${part}`));
  return u === undefined || w === undefined || b === undefined ? undefined : { u, w, b };
}
