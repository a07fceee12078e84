import { AttnswapError } from '../../../src/contract/errors.ts';
import type { LayerAttention } from '../../../src/contract/training.ts';
import type { Site } from '../../../src/training/testbed.ts';
import { gatesQueries } from '../../../src/variants/gated/parameters.ts';
import { findVariant } from '../../../src/variants/index.ts';
import type { Tensor, Tf } from '../kernel.ts';
import { meansMatrix, membersMatrix, othersMatrix, speakersMatrix } from './block-matrices.ts';
import { choiceOf } from './choose.ts';
import type { Choice } from './choose.ts';
import { differentiable } from './differentiable.ts';
import { correct, gateLogits } from './gate.ts';
import type { GateTensors } from './gate.ts';
import { transposed } from './products.ts';
import type { TrainingSite } from './site.ts';
import { visibleEntries } from './visible.ts';

/** Variants in which no score decides what a query sees. */
const fixed: readonly string[] = ['dense', 'window', 'grid-window', 'hierarchical'];

/** What an attention is given: `[heads·batch, length, d]`; queries and keys with ALiBi's dimension, values without. */
export interface HeadTensors {
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
  readonly gate?: GateTensors;
}

/**
 * A variant's attention with all logits written out and a bias on what it does not see: sequences are short. Constant parts are made once
 * for so many queries and keys.
 */
export class Attention {
  readonly #tf: Tf;
  readonly #site: TrainingSite;
  readonly #given: LayerAttention;
  readonly #causal: boolean;
  readonly #choices = new Map<string, Choice | undefined>();

  /** @throws UNSUPPORTED for a variant that weighs no pairs, and for gates of queries */
  constructor(site: TrainingSite, given: LayerAttention, kind: Site['kind']) {
    const { form } = given.parameters;
    if (findVariant(given.variant).rows === undefined || gatesQueries(form))
      throw new AttnswapError(
        'UNSUPPORTED',
        `the tfjs trainer has no ${given.variant} attention${gatesQueries(form) ? ` with form=${form}` : ''}`,
        {
          hint: 'train with --trainer torch-cpu',
        },
      );
    this.#tf = site.tf;
    this.#site = site;
    this.#given = given;
    this.#causal = kind === 'self' && site.testbed.causal;
  }

  /** `[heads·batch, length, width/heads]`. */
  attend(tensors: HeadTensors): Tensor {
    const tf = this.#tf;
    const { heads, width } = this.#site.testbed;
    const [size = 1, queries = 1] = tensors.query.shape;
    const keys = tensors.key.shape[1]!;
    const { bias, pooling } = this.#visible(queries, keys);
    const pooled = (x: Tensor) => (pooling === undefined ? x : this.#site.products.mix(pooling, x));
    // ALiBi's dimension is no part of the heads' own: the scale stays theirs.
    const query = tf.mul(tensors.query, 1 / Math.sqrt(width / heads));
    const scores = this.#site.products.multiply(query, transposed(tf, pooled(tensors.key)));
    const gate = findVariant(this.#given.variant).takesGate === true ? this.#gate(tensors, tensors.gate!) : undefined;
    const logits = gate === undefined ? scores : this.#corrected(scores, gate, keys);
    const choice = this.#choice(queries, keys);
    const chosen = choice && choice.bias(this.#scores(choice, { ...tensors, query }, { scores, gate }).dataSync() as Float32Array);
    const hidden = chosen === undefined ? bias : tf.tensor4d(chosen, [heads, size / heads, queries, keys]);
    return this.#site.products.multiply(this.#weights(logits, hidden), pooled(tensors.value));
  }

  /** softmax(logits + hidden): logits `[heads·batch, length, entries]`, hidden `[heads, batch or 1, length, entries]`. */
  #weights(logits: Tensor, hidden: Tensor): Tensor {
    const tf = this.#tf;
    return differentiable(tf, [logits], () => {
      const [heads = 1, , length = 1, entries = 1] = hidden.shape;
      const seen = tf.add(tf.reshape(logits, [heads, logits.shape[0]! / heads, length, entries]), hidden);
      const value = tf.softmax(tf.reshape(seen, logits.shape));
      return {
        value,
        keep: [value],
        slopes: (slope, [weight]) => [tf.mul(weight!, tf.sub(slope, tf.sum(tf.mul(slope, weight!), -1, true)))],
      };
    });
  }

  #visible(queries: number, keys: number): { bias: Tensor; pooling: Tensor | undefined } {
    const { heads } = this.#site.testbed;
    const causal = this.#causal;
    const { variant, parameters } = this.#given;
    const isFixed = fixed.includes(variant);
    const given = isFixed ? this.#given : { variant: 'dense', parameters: {} };
    const name = `visible/${given.variant}/${JSON.stringify(isFixed ? parameters : {})}/${queries}/${keys}/${causal}`;
    return this.#site.constants.once(name, (place) => {
      const { entries, bias, pooling } = visibleEntries(given, { heads, queries, keys, causal });
      return {
        bias: place(bias, [heads, 1, queries, entries]),
        pooling: pooling && place(pooling, [entries, keys]),
      };
    });
  }

  #choice(queries: number, keys: number): Choice | undefined {
    const name = `${queries}/${keys}`;
    if (!this.#choices.has(name)) this.#choices.set(name, choiceOf(this.#given, { queries, keys, causal: this.#causal }));
    return this.#choices.get(name);
  }

  /** By what is chosen: the gate, the logits of pairs, or of blocks. */
  #scores({ block }: Choice, tensors: HeadTensors, { scores, gate }: { scores: Tensor; gate: Tensor | undefined }): Tensor {
    if (gate !== undefined) return gate;
    if (block === 1) return scores;
    const { speakers, means } = this.#blocks(tensors.query.shape[1]!);
    const { mix, multiply } = this.#site.products;
    return multiply(mix(speakers, tensors.query), transposed(this.#tf, mix(means, tensors.key)));
  }

  /** γ of pairs, or of blocks. */
  #gate({ query, key }: HeadTensors, gate: GateTensors): Tensor {
    const tf = this.#tf;
    const { mix } = this.#site.products;
    if (this.#block() === 1) return gateLogits(tf, this.#site.products, { query, key }, gate);
    const { speakers, means } = this.#blocks(query.shape[1]!);
    return gateLogits(tf, this.#site.products, { query: mix(speakers, query), key: mix(means, key) }, gate);
  }

  #corrected(scores: Tensor, gate: Tensor, length: number): Tensor {
    const tf = this.#tf;
    const { form } = this.#given.parameters;
    if (this.#block() === 1) return correct(tf, scores, { gate, form, corrected: undefined });
    const { members, others } = this.#blocks(length);
    const [size = 1, blocks = 1] = gate.shape;
    const columns = this.#site.products.fromRight(tf.reshape(gate, [size * blocks, blocks]), transposed(tf, members));
    const pairs = this.#site.products.mix(members, tf.reshape(columns, [size, blocks, length]));
    return correct(tf, scores, { gate: pairs, form, corrected: others });
  }

  #block(): number {
    return Number(this.#given.parameters['block'] ?? 1);
  }

  #blocks(length: number): { speakers: Tensor; means: Tensor; members: Tensor; others: Tensor } {
    const block = this.#block();
    const blocks = Math.ceil(length / block);
    return this.#site.constants.once(`blocks/${block}/${length}/${this.#causal}`, (place) => ({
      speakers: place(speakersMatrix(length, block, this.#causal), [blocks, length]),
      means: place(meansMatrix(length, block), [blocks, length]),
      members: place(membersMatrix(length, block), [length, blocks]),
      others: place(othersMatrix(length, block), [length, length]),
    }));
  }
}
