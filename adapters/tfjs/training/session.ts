import { setImmediate } from 'node:timers/promises';
import type { EpochResult, ItemScores, LayerAttention, TrainRequest } from '../../../src/contract/training.ts';
import { writeSafetensors } from '../../../src/inputs/safetensors.ts';
import { answersOf } from '../../../src/training/answers.ts';
import type { Answers, ExitOutput } from '../../../src/training/answers.ts';
import { checkWeights } from '../../../src/training/check-weights.ts';
import { readWeights } from '../../../src/training/initial-weights.ts';
import { itemScores } from '../../../src/training/metrics.ts';
import type { TaskItems } from '../../../src/training/task.ts';
import { exitsInTraining, exitsOf, parametersOf, siteShape, sitesOf } from '../../../src/training/testbed.ts';
import type { Engine } from '../engine.ts';
import type { Tensor, Tf } from '../kernel.ts';
import { readFloats, readItems, readOrder } from './files.ts';
import { meanOfScored } from './mean-of-scored.ts';
import { expectedCost } from './expected-cost.ts';
import { crossEntropy, meanLoss } from './loss.ts';
import { Model, readOutput } from './model.ts';
import { normOf, Optimizer } from './optimizer.ts';
import { trainingSite } from './site.ts';
import { beginTeaching } from './teaching.ts';
import type { Teaching } from './teaching.ts';

/** A checkpoint holds weights and the optimizer's state; this begins the names of the latter. */
const optimizerPrefix = 'optimizer/';

/** One training: the model, its teacher, its optimizer. Questions are those of a Training in the contract. */
export class TrainingSession {
  readonly #tf: Tf;
  readonly #testbed: TrainRequest['testbed'];
  readonly #model: Model;
  readonly #teaching: Teaching | undefined;
  readonly #shapes: ReadonlyMap<string, readonly number[]>;
  /** Trained in place; `#tensors` are copies of them. */
  readonly #weights: Map<string, Float32Array>;
  readonly #optimizer: Optimizer;
  readonly #data = new Map<string, TaskItems>();
  #tensors = new Map<string, Tensor>();

  private constructor(
    engine: Engine,
    request: TrainRequest,
    given: { weights: Map<string, Float32Array>; teaching: Teaching | undefined },
  ) {
    this.#tf = engine.tf;
    this.#testbed = request.testbed;
    this.#model = new Model(trainingSite(engine, request.testbed));
    this.#model.use(request.attention);
    this.#teaching = given.teaching;
    this.#weights = given.weights;
    this.#shapes = new Map(parametersOf(request.testbed).map(({ name, shape }) => [name, shape]));
    this.#optimizer = new Optimizer(given.weights, this.#shapes, request.optimizer);
    this.#place();
  }

  /** @throws FILE_UNREADABLE, INVALID_SAFETENSORS, INVALID_INPUTS */
  static async begin(engine: Engine, request: TrainRequest): Promise<TrainingSession> {
    const weights = await readWeights(request.weights, request.testbed);
    const teaching = request.teacher && (await beginTeaching(engine, request.teacher));
    return new TrainingSession(engine, request, { weights, teaching });
  }

  /** One pass over the given batches. Between steps it looks up, so that whoever asked may go away. */
  async epoch(request: { attention: readonly LayerAttention[]; data: string; order: string }): Promise<EpochResult> {
    this.#model.use(request.attention);
    const items = await this.#items(request.data);
    const order = await readOrder(request.order, items.items);
    const start = process.hrtime.bigint();
    const losses: number[] = [];
    const gradientNorms: number[] = [];
    for (const batch of order) {
      const { loss, gradients } = this.#lossAndGradients(chosen(items, batch));
      const norm = normOf(gradients);
      if (!Number.isFinite(loss) || !Number.isFinite(norm)) break;
      this.#optimizer.step(gradients, norm);
      this.#place();
      losses.push(loss);
      gradientNorms.push(norm);
      await setImmediate();
    }
    return { losses, gradientNorms, diverged: losses.length < order.length, elapsedNs: Number(process.hrtime.bigint() - start) };
  }

  async evaluate(request: { attention: readonly LayerAttention[]; data: string; batch: number }): Promise<ItemScores> {
    this.#model.use(request.attention);
    const items = await this.#items(request.data);
    const correct = new Float32Array(items.items);
    const bits = new Float32Array(items.items);
    const layers = new Float32Array(items.items);
    for (const batch of batchesOf(items.items, request.batch)) {
      const given = chosen(items, batch);
      const answers = this.#answers(given);
      const scores = (metric: 'accuracy' | 'bits') => itemScores({ metric, classes: this.#testbed.classes }, given, answers.logits);
      correct.set(scores('accuracy'), batch[0]);
      bits.set(scores('bits'), batch[0]);
      layers.set(meanOfScored(answers.layers, given), batch[0]);
      await setImmediate();
    }
    return { correct, bits, ...(exitsOf(this.#testbed).length > 1 && { layers }) };
  }

  /** Greedy decoding, position by position: see {@link Training}. */
  async translate(request: { attention: readonly LayerAttention[]; data: string; batch: number }): Promise<Int32Array> {
    this.#model.use(request.attention);
    const items = await this.#items(request.data);
    const { vocabulary, classes } = this.#testbed;
    const { length } = items;
    const written = new Int32Array(items.items * length);
    for (const batch of batchesOf(items.items, request.batch)) {
      const given = chosen(items, batch);
      const own = written.subarray(batch[0]! * length, (batch[0]! + batch.length) * length);
      for (let position = 0; position < length; position++) {
        const { logits } = this.#answers(given);
        for (let at = position; at < own.length; at += length) {
          const row = logits.subarray(at * classes, (at + 1) * classes);
          own[at] = row.indexOf(Math.max(...row));
          if (position + 1 < length) given.tokens[at + 1] = vocabulary - classes + own[at]!;
        }
        await setImmediate();
      }
    }
    return written;
  }

  /** Mean |Σ o·∂loss/∂o| (Michel et al. 2019, section 4.1): the gradient with respect to zeros that are added to the heads' outputs. */
  async importance(request: { data: string; batch: number }): Promise<number[][]> {
    const { heads, width } = this.#testbed;
    const items = await this.#items(request.data);
    const batches = batchesOf(items.items, request.batch);
    const sites = sitesOf(this.#testbed);
    const totals = sites.map(() => new Array<number>(heads).fill(0));
    for (const batch of batches) {
      const given = chosen(items, batch);
      const perHead = this.#tidy(() => {
        const zeros = sites.map((site) =>
          this.#tf.zeros([heads * given.items, siteShape(this.#testbed, site, given).queries, width / heads]),
        );
        const outputs: Tensor[] = [];
        const tap = (output: Tensor, layer: number) => {
          outputs[layer] = this.#tf.keep(this.#tf.clone(output));
          return this.#tf.add(output, zeros[layer]!);
        };
        const loss = () => this.#crossEntropy(this.#model.outputs(this.#tensors, given, exitsInTraining(this.#testbed), tap), given);
        const { grads } = this.#tf.engine().gradients(loss, zeros);
        return grads.map((slope, layer) => {
          const products = this.#tf.mul(outputs[layer]!, slope);
          outputs[layer]!.dispose();
          const sums = this.#tf.abs(this.#tf.sum(this.#tf.reshape(products, [heads, given.items, -1]), 2));
          return [...this.#tf.mean(sums, 1).dataSync()];
        });
      });
      for (const [layer, values] of perHead.entries()) for (const [head, value] of values.entries()) totals[layer]![head]! += value;
    }
    return totals.map((values) => values.map((value) => value / batches.length));
  }

  async gradients({ data }: { data: string }): Promise<{ loss: number; gradients: Map<string, Float32Array> }> {
    return this.#lossAndGradients(await this.#items(data));
  }

  async logits({ data }: { data: string }): Promise<{ logits: Float32Array; shape: readonly number[] }> {
    const items = await this.#items(data);
    return { logits: this.#answers(items).logits, shape: [items.items, items.length, this.#testbed.classes] };
  }

  async save(path: string, withOptimizer: boolean): Promise<void> {
    const state = withOptimizer ? [...this.#optimizer.state()].map(([name, data]) => [optimizerPrefix + name, data] as const) : [];
    await this.write(path, new Map([...this.#weights, ...state]));
  }

  /** Goes on from what {@link save} wrote; weights alone leave the optimizer as it is. */
  async load(path: string): Promise<void> {
    const tensors = [...(await readFloats(path))];
    const isState = ([name]: readonly [string, unknown]) => name.startsWith(optimizerPrefix);
    const weights = new Map(tensors.filter((entry) => !isState(entry)));
    checkWeights(this.#testbed, weights, path);
    for (const [name, values] of weights) this.#weights.get(name)!.set(values);
    this.#place();
    const state = tensors.filter(isState).map(([name, values]) => [name.slice(optimizerPrefix.length), values] as const);
    if (state.length > 0) this.#optimizer.restore(new Map(state));
  }

  /** Tensors by name into a file, F32, in the shape that is given, else in their parameter's. */
  async write(path: string, tensors: ReadonlyMap<string, Float32Array>, given?: readonly number[]): Promise<void> {
    const entries = [...tensors].map(([name, data]) => {
      const shape = given ?? this.#shapes.get(name.split('/').at(-1)!) ?? [data.length];
      return [name, { dtype: 'F32', shape, data }] as const;
    });
    await writeSafetensors(path, Object.fromEntries(entries));
  }

  #lossAndGradients(given: TaskItems): { loss: number; gradients: Map<string, Float32Array> } {
    const weights = [...this.#tensors.values()];
    return this.#tidy(() => {
      const lessons = this.#teaching?.lessons(given);
      // A weight that the loss does not depend on has no gradient: the variant at hand may have no use for it.
      const { value, grads } = this.#tf.engine().gradients(() => this.#loss(given, lessons), weights, undefined, true);
      const slopes = [...this.#weights].map(([name, { length }], index): [string, Float32Array] => [
        name,
        (grads[index] as Tensor | undefined)?.dataSync<'float32'>() ?? new Float32Array(length),
      ]);
      return { loss: value.dataSync()[0]!, gradients: new Map(slopes) };
    });
  }

  #loss(given: TaskItems, lessons: ReturnType<Teaching['lessons']> | undefined): Tensor {
    const outputs: Tensor[] = [];
    const exits = exitsInTraining(this.#testbed);
    const every = this.#model.outputs(this.#tensors, given, exits, (output, layer) => (outputs[layer] = output));
    const ofLogits = lessons?.loss(every, outputs) ?? this.#crossEntropy(every, given);
    const cost = expectedCost(this.#tf, this.#testbed, every, given);
    return cost === undefined ? ofLogits : this.#tf.add(ofLogits, cost);
  }

  #crossEntropy(every: ReadonlyArray<ExitOutput<Tensor>>, { targets }: TaskItems): Tensor {
    const scored = { targets, classes: this.#testbed.classes };
    return meanLoss(
      this.#tf,
      every.map(({ logits }) => crossEntropy(this.#tf, logits, scored)),
    );
  }

  #answers(given: TaskItems): Answers<Float32Array> {
    const every = this.#tidy(() => this.#model.outputs(this.#tensors, given, exitsOf(this.#testbed)).map(readOutput));
    return answersOf(this.#testbed, given, every);
  }

  /** Data files are kept, as every epoch reads the same. */
  async #items(path: string): Promise<TaskItems> {
    const found = this.#data.get(path) ?? (await readItems(path, this.#testbed));
    this.#data.set(path, found);
    return found;
  }

  /** What `work` makes of tensors, which are gone afterwards. Not returned by tfjs's own `tidy`: that looks for tensors in every element. */
  #tidy<T>(work: () => T): T {
    let result: T;
    this.#tf.tidy(() => {
      result = work();
    });
    return result!;
  }

  #place(): void {
    for (const tensor of this.#tensors.values()) tensor.dispose();
    // A copy: some backends keep the array that they are given.
    this.#tensors = new Map(
      [...this.#weights].map(([name, values]) => [name, this.#tf.tensor(values.slice(), [...this.#shapes.get(name)!], 'float32')]),
    );
  }
}

/** Numbers of items, in batches of which the last may be smaller. */
function batchesOf(items: number, batch: number): Int32Array[] {
  return Array.from({ length: Math.ceil(items / batch) }, (_, index) =>
    Int32Array.from({ length: Math.min(batch, items - index * batch) }, (_item, at) => index * batch + at),
  );
}

/** Those items alone. */
function chosen({ length, tokens, targets, source }: TaskItems, batch: Int32Array): TaskItems {
  const rows = (values: Int32Array, each: number) => {
    const taken = new Int32Array(batch.length * each);
    for (const [at, item] of batch.entries()) taken.set(values.subarray(item * each, (item + 1) * each), at * each);
    return taken;
  };
  const from = source && { length: source.length, tokens: rows(source.tokens, source.length) };
  return { items: batch.length, length, tokens: rows(tokens, length), targets: rows(targets, length), ...(from && { source: from }) };
}
