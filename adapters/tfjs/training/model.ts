import type { LayerAttention } from '../../../src/contract/training.ts';
import { sinusoidalTable } from '../../../src/training/positions.ts';
import { leaving } from '../../../src/training/answers.ts';
import type { ExitOutput, TokenBatch } from '../../../src/training/answers.ts';
import type { SourceTokens } from '../../../src/training/task.ts';
import { byEveryLayer, exitsByPosition, normOf, sitesOf } from '../../../src/training/testbed.ts';
import type { Exit, Site } from '../../../src/training/testbed.ts';
import type { Tensor } from '../kernel.ts';
import { Attention } from './attention.ts';
import type { GateTensors } from './gate.ts';
import { joinHeads, placed, splitHeads } from './heads.ts';
import { firstRows, gelu, normalise, shiftRows, sigmoid } from './layers.ts';
import type { TrainingSite } from './site.ts';

/** May look at, or replace, the heads' outputs of an attention, by its place among all: `[heads·batch, length, width/heads]`. */
export type Tap = (output: Tensor, site: number) => Tensor;

type Weights = ReadonlyMap<string, Tensor>;

/** What the layers of one sequence share; `memory` `[batch·source length, width]` is what they read across. */
interface Pass {
  readonly weights: Weights;
  readonly length: number;
  readonly memory: { readonly states: Tensor; readonly length: number } | undefined;
  readonly tap: Tap;
}

/** The testbed's forward pass in tfjs operations. What it computes is told in src/contract/testbed.ts. */
export class Model {
  readonly #site: TrainingSite;
  readonly #sites: readonly Site[];
  #attention: Attention[] = [];
  #given = '';

  constructor(site: TrainingSite) {
    this.#site = site;
    this.#sites = sitesOf(site.testbed);
  }

  /** The attention of every site from now on. */
  use(attention: readonly LayerAttention[]): void {
    const given = JSON.stringify(attention);
    if (given !== this.#given) this.#attention = attention.map((each, at) => new Attention(this.#site, each, this.#sites[at]!.kind));
    this.#given = given;
  }

  /**
   * Of every exit, the last layer's at the end: logits `[batch·length, classes]`, `sure` `[batch·length, 1]`. Weights are read by name, matrices
   * `[in, out]`.
   */
  outputs(given: Weights, batch: TokenBatch, exits: readonly Exit[], tap: Tap = (output) => output): Array<ExitOutput<Tensor>> {
    const { testbed, products } = this.#site;
    const weights = byEveryLayer(testbed, given);
    const left = new Set<number>();
    const memory = batch.source && { states: this.#encode(weights, batch.source, tap), length: batch.source.length };
    const pass = { weights, length: batch.length, memory, tap };
    const outputs: Array<ExitOutput<Tensor>> = [];
    let x = this.#embed(weights, batch, '');
    for (const layer of testbed.attention.keys()) {
      const after = this.#layer(x, `layers.${layer}`, pass);
      x = left.size === 0 ? after : this.#copied(x, after, left);
      const exit = exits.find(({ layers }) => layers === layer + 1);
      if (exit === undefined) continue;
      const normed = this.#lastNorm(weights, x, 'norm');
      const isLast = layer + 1 === testbed.attention.length;
      const sure = isLast ? undefined : this.#sureness(weights, normed, `layers.${layer}.exit`);
      const own = { logits: products.multiply(normed, weights.get('head')!), sure };
      outputs.push(own);
      if (exitsByPosition(testbed)) for (const place of leaving(testbed, batch, readOutput(own), exit)) left.add(place);
    }
    return outputs;
  }

  /** What the exit head `name` makes of states; undefined where there is none. */
  #sureness(weights: Weights, normed: Tensor, name: string): Tensor | undefined {
    const { tf, products } = this.#site;
    const [weight, bias] = [weights.get(`${name}.weight`), weights.get(`${name}.bias`)];
    if (weight === undefined || bias === undefined) return undefined;
    return sigmoid(tf, shiftRows(tf, products.multiply(normed, weight), bias));
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

  #encode(weights: Weights, source: SourceTokens, tap: Tap): Tensor {
    const pass = { weights, length: source.length, memory: undefined, tap };
    let x = this.#embed(weights, source, 'encoder.');
    for (const layer of this.#site.testbed.encoder!.attention.keys()) x = this.#layer(x, `encoder.layers.${layer}`, pass);
    return this.#lastNorm(weights, x, 'encoder.norm');
  }

  /** The state after the layer `name`. */
  #layer(before: Tensor, name: string, pass: Pass): Tensor {
    const { tf, products, testbed } = this.#site;
    const weight = (of: string) => pass.weights.get(`${name}.mlp.${of}`)!;
    const residual = (x: Tensor, norm: string, branch: (values: Tensor) => Tensor) =>
      testbed.normPlacement === 'before'
        ? tf.add(x, branch(this.#norm(pass.weights, x, norm)))
        : this.#norm(pass.weights, tf.add(x, branch(x)), norm);
    let x = before;
    for (const [at, site] of this.#sites.entries())
      if (site.name.startsWith(`${name}.`)) x = residual(x, normOf(site), (values) => this.#attend(values, at, pass));
    return residual(x, `${name}.norm2`, (values) => products.multiply(gelu(tf, products.multiply(values, weight('in'))), weight('out')));
  }

  #norm(weights: Weights, x: Tensor, name: string): Tensor {
    return normalise(this.#site.tf, x, weights.get(`${name}.weight`)!, weights.get(`${name}.bias`));
  }

  #lastNorm(weights: Weights, x: Tensor, name: string): Tensor {
    return this.#site.testbed.normPlacement === 'before' ? this.#norm(weights, x, name) : x;
  }

  /** `[batch·length, width]`. Looked up by a product: the gradient of a gather is an operation that WebAssembly has not. */
  #embed(weights: Weights, { tokens, length }: SourceTokens, prefix: '' | 'encoder.'): Tensor {
    const { tf, testbed, products, constants } = this.#site;
    const { vocabulary, width, position } = testbed;
    // Not tfjs's oneHot, whose ones in WebAssembly are the bits of an integer 1 where f32 is asked for.
    const marks = new Float32Array(tokens.length * vocabulary);
    for (const [at, token] of tokens.entries()) marks[at * vocabulary + token] = 1;
    const x = products.fromLeft(tf.tensor2d(marks, [tokens.length, vocabulary]), weights.get('embed')!);
    const places =
      position === 'sinusoidal'
        ? constants.once(`sinusoidal/${length}`, (place) => place(Float32Array.from(sinusoidalTable(length, width)), [length, width]))
        : weights.get(`${prefix}position`);
    if (places === undefined) return x;
    const sequences = tf.reshape(x, [tokens.length / length, length * width]);
    const moved = shiftRows(tf, sequences, tf.reshape(firstRows(tf, places, length), [length * width]));
    return tf.reshape(moved, [tokens.length, width]);
  }

  #attend(x: Tensor, at: number, { weights, length, memory, tap }: Pass): Tensor {
    const { products } = this.#site;
    const { name, kind } = this.#sites[at]!;
    const read = kind === 'cross' ? memory! : { states: x, length };
    const part = (which: string, from: Pass['memory']) =>
      splitHeads(this.#site, products.multiply(from!.states, weights.get(`${name}.${which}`)!), from!.length);
    const put = (values: Tensor, which: 'query' | 'key') => (kind === 'cross' ? values : placed(this.#site, values, which));
    const gate = gateOf(weights, name);
    const output = this.#attention[at]!.attend({
      query: put(part('query', { states: x, length }), 'query'),
      key: put(part('key', read), 'key'),
      value: part('value', read),
      ...(gate !== undefined && { gate }),
    });
    return products.multiply(joinHeads(this.#site, tap(output, at)), weights.get(`${name}.output`)!);
  }
}

/** The figures of an exit. */
export function readOutput({ logits, sure }: ExitOutput<Tensor>): ExitOutput<Float32Array> {
  return { logits: logits.dataSync<'float32'>(), sure: sure?.dataSync<'float32'>() };
}

function gateOf(weights: Weights, name: string): GateTensors | undefined {
  const [u, w, b] = ['u', 'w', 'b'].map((part) => weights.get(`${name}.gate.${part}`));
  return u === undefined || w === undefined || b === undefined ? undefined : { u, w, b };
}
