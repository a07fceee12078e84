import type { Teacher } from '../../../src/contract/training.ts';
import { readWeights } from '../../../src/training/initial-weights.ts';
import type { ExitOutput } from '../../../src/training/answers.ts';
import type { TaskItems } from '../../../src/training/task.ts';
import { exitsOf, parametersOf } from '../../../src/training/testbed.ts';
import type { Engine } from '../engine.ts';
import type { Tensor } from '../kernel.ts';
import { crossEntropy, distillation, headDifference, meanLoss } from './loss.ts';
import { Model } from './model.ts';
import { trainingSite } from './site.ts';

/** A teacher at work. */
export interface Teaching {
  /** What it makes of a batch, off the tape: the loss of a student's exits, and of its heads' outputs, one a layer. */
  lessons(given: TaskItems): { loss(every: ReadonlyArray<ExitOutput<Tensor>>, outputs: readonly Tensor[]): Tensor };
}

/** @throws FILE_UNREADABLE, INVALID_SAFETENSORS, INVALID_INPUTS */
export async function beginTeaching(engine: Engine, teacher: Teacher): Promise<Teaching> {
  const { tf } = engine;
  // Its exits were trained for less: its last layer, with nobody gone, knows best.
  const { exits: _exits, ...testbed } = teacher.testbed;
  const { temperature, weight, headWeights, headLoss = 1 } = teacher;
  const values = await readWeights(teacher.weights, testbed);
  const trained = new Map(parametersOf(testbed).map(({ name, shape }) => [name, tf.tensor(values.get(name)!, [...shape], 'float32')]));
  const model = new Model(trainingSite(engine, testbed));
  model.use(teacher.attention);
  return {
    lessons(given) {
      const heads: Tensor[] = [];
      const soft = model.outputs(trained, given, exitsOf(testbed), (output, layer) => (heads[layer] = output)).at(-1)!.logits;
      const scored = { targets: given.targets, classes: testbed.classes };
      return {
        loss(every, outputs) {
          const mean = (loss: (logits: Tensor) => Tensor) =>
            meanLoss(
              tf,
              every.map(({ logits }) => loss(logits)),
            );
          const terms = [
            tf.mul(
              mean((logits) => crossEntropy(tf, logits, scored)),
              1 - weight,
            ),
          ];
          if (weight > 0)
            terms.push(
              tf.mul(
                mean((logits) => distillation(tf, logits, soft, { ...scored, temperature })),
                weight,
              ),
            );
          for (const [layer, weights] of (headWeights ?? []).entries())
            terms.push(tf.mul(headDifference(tf, outputs[layer]!, heads[layer]!, weights), headLoss));
          return terms.reduce((sum, term) => tf.add(sum, term));
        },
      };
    },
  };
}
