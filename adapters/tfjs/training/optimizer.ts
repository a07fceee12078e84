import type { OptimizerOptions } from '../../../src/contract/training.ts';

const [firstDecay, secondDecay, epsilon] = [0.9, 0.98, 1e-8];

/** A weight and what AdamW (Loshchilov and Hutter 2019, algorithm 2) remembers of it. */
interface Trained {
  readonly values: Float32Array;
  /** Norms and biases, the vectors, do not decay. */
  readonly decays: boolean;
  readonly mean: Float32Array;
  readonly square: Float32Array;
}

/**
 * AdamW with warm-up and cosine decay, in JavaScript: the weights are few, and what it remembers is then the same on every backend. Steps count
 * over the whole training, so that a training that goes on does what an uninterrupted one does.
 */
export class Optimizer {
  readonly #options: OptimizerOptions;
  readonly #weights: ReadonlyMap<string, Trained>;
  #step = 0;

  /** `weights` are changed in place by every step; `shapes` has those of all of them. */
  constructor(weights: ReadonlyMap<string, Float32Array>, shapes: ReadonlyMap<string, readonly number[]>, options: OptimizerOptions) {
    this.#options = options;
    this.#weights = new Map(
      [...weights].map(([name, values]) => [
        name,
        { values, decays: shapes.get(name)!.length > 1, mean: new Float32Array(values.length), square: new Float32Array(values.length) },
      ]),
    );
  }

  /** Linear to the peak over the warm-up, then half a cosine to a tenth of it. */
  #learningRate(): number {
    const { learningRate: peak, warmUpSteps, steps } = this.#options;
    if (this.#step < warmUpSteps) return (peak * (this.#step + 1)) / warmUpSteps;
    const share = Math.min(1, (this.#step - warmUpSteps) / Math.max(1, steps - warmUpSteps));
    return peak * (0.1 + 0.45 * (1 + Math.cos(Math.PI * share)));
  }

  /** One step down the gradients, of which `norm` is the norm of all together. */
  step(gradients: ReadonlyMap<string, Float32Array>, norm: number): void {
    const rate = this.#learningRate();
    const scale = Math.min(1, this.#options.clip / (norm + 1e-6));
    this.#step += 1;
    const firstCorrection = 1 - firstDecay ** this.#step;
    const secondCorrection = Math.sqrt(1 - secondDecay ** this.#step);
    for (const [name, { values, decays, mean, square }] of this.#weights) {
      const gradient = gradients.get(name)!;
      const shrink = 1 - rate * (decays ? this.#options.weightDecay : 0);
      for (let at = 0; at < values.length; at++) {
        const slope = gradient[at]! * scale;
        const first = (mean[at] = firstDecay * mean[at]! + (1 - firstDecay) * slope);
        const second = (square[at] = secondDecay * square[at]! + (1 - secondDecay) * slope * slope);
        values[at] = values[at]! * shrink - ((rate / firstCorrection) * first) / (Math.sqrt(second) / secondCorrection + epsilon);
      }
    }
  }

  /** Everything but the weights, by name; the number of steps is a tensor of one element. */
  state(): Map<string, Float32Array> {
    const moments = [...this.#weights].flatMap(([name, { mean, square }]): Array<[string, Float32Array]> => [
      [`exp_avg/${name}`, mean],
      [`exp_avg_sq/${name}`, square],
    ]);
    return new Map([['step', Float32Array.of(this.#step)], ...moments]);
  }

  /** Goes on from what {@link state} gave. */
  restore(state: ReadonlyMap<string, Float32Array>): void {
    this.#step = state.get('step')![0]!;
    for (const [name, { mean, square }] of this.#weights) {
      mean.set(state.get(`exp_avg/${name}`) ?? new Float32Array(mean.length));
      square.set(state.get(`exp_avg_sq/${name}`) ?? new Float32Array(square.length));
    }
  }
}

/** The norm of all gradients together. */
export function normOf(gradients: ReadonlyMap<string, Float32Array>): number {
  let sum = 0;
  for (const values of gradients.values()) for (const value of values) sum += value * value;
  return Math.sqrt(sum);
}
