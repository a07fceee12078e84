import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { LayerAttention, Teacher, Training } from '../../src/contract/training.ts';
import { RandomStream } from '../../src/inputs/random.ts';
import { writeSafetensors } from '../../src/inputs/safetensors.ts';
import { smallTestbed, stirredWeights } from '../../src/training/fixtures/small-testbed.ts';
import { writeWeights } from '../../src/training/initial-weights.ts';
import { logProbability } from '../../src/training/log-probability.ts';
import { itemScores } from '../../src/training/metrics.ts';
import { referenceAnswers, referenceForward, referenceLoss } from '../../src/training/reference-forward.ts';
import type { TaskItems } from '../../src/training/task.ts';
import type { Testbed } from '../../src/training/testbed.ts';
import { parseVariant } from '../../src/variants/index.ts';
import { adapter } from './adapter.ts';
import { skip } from '../../tests/torch-installed.ts';

// The PyTorch trainer against the float64 testbed.
const folder = mkdtempSync(join(tmpdir(), 'attnswap-trainer-'));
const attentions = [
  'dense',
  'topk:k=5',
  'window:w=8',
  'gated:rank=2',
  'gated:sparsity=0.4,rank=2',
  'hierarchical',
  'block-topk:block=4,blocks=3',
];

function layersOf({ attention }: Testbed, shuffled = false): LayerAttention[] {
  return attention.map((text) => ({ ...layer(text), ...(shuffled && { shuffled }) }));
}

function layer(text: string): LayerAttention {
  const { variant, parameters } = parseVariant(text);
  return { variant, parameters };
}

function drawItems({ vocabulary, classes }: Testbed, items = 3, length = 21): TaskItems {
  const stream = new RandomStream(5, 'trainer items');
  const draw = (below: number) => Int32Array.from({ length: items * length }, () => Math.floor(below * stream.uniform()));
  const [tokens, targets] = [draw(vocabulary), draw(classes)];
  return { items, length, tokens, targets: targets.map((target, at) => (at % 3 === 0 ? -1 : target)) };
}

async function write(name: string, { items, length, tokens, targets }: TaskItems): Promise<string> {
  const path = join(folder, `${name}.safetensors`);
  const shape = [items, length];
  await writeSafetensors(path, { tokens: { dtype: 'I32', shape, data: tokens }, targets: { dtype: 'I32', shape, data: targets } }, {});
  return path;
}

async function orderOf(name: string, steps: number, items: number): Promise<string> {
  const path = join(folder, `${name}.safetensors`);
  const data = Int32Array.from({ length: steps * items }, (_, at) => at % items);
  await writeSafetensors(path, { order: { dtype: 'I32', shape: [steps, items], data } }, {});
  return path;
}

async function start(testbed: Testbed, given: { teacher?: Teacher; shuffled?: boolean } = {}): Promise<Training> {
  const weights = join(folder, 'weights.safetensors');
  await writeWeights(weights, testbed, stirredWeights(testbed));
  const optimizer = { learningRate: 0.01, weightDecay: 0.1, warmUpSteps: 2, steps: 12, clip: 1 };
  const attention = layersOf(testbed, given.shuffled);
  const training = await adapter.train!({
    backend: 'torch-cpu',
    testbed,
    weights,
    attention,
    optimizer,
    ...(given.teacher && { teacher: given.teacher }),
  });
  assert.ok(!('unsupported' in training));
  return training;
}

const testbeds: Record<string, Testbed> = {
  ...Object.fromEntries(attentions.map((text) => [text, smallTestbed({ attention: [text, text] })])),
  ...Object.fromEntries(
    (['sinusoidal', 'rotary', 'alibi', 'none'] as const).map((position) => [
      position,
      smallTestbed({ position, attention: ['dense', 'topk:k=5'] }),
    ]),
  ),
  'RMSNorm after': smallTestbed({ norm: 'rms', normPlacement: 'after' }),
  'LayerNorm after': smallTestbed({ normPlacement: 'after' }),
  'RMSNorm before, not causal': smallTestbed({ norm: 'rms', causal: false }),
  'exits after every layer': smallTestbed({ attention: ['dense', 'topk:k=5', 'window:w=8'], exits: [0.35, 0.3] }),
  'one exit, norms after': smallTestbed({ attention: ['dense', 'dense', 'dense'], normPlacement: 'after', exits: [null, 0.35] }),
};

for (const [name, testbed] of Object.entries(testbeds)) {
  test(`${name}: the trainer's logits and gradients are those of the float64 testbed`, { skip }, async () => {
    const items = drawItems(testbed);
    const data = await write('items', items);
    const training = await start(testbed);
    try {
      const weights = stirredWeights(testbed);
      assert.ok(relativeError(await training.logits({ data }), referenceForward(testbed, weights, items)) < 2e-5);
      const { loss, gradients } = await training.gradients({ data });
      assert.ok(Math.abs(loss - referenceLoss(testbed, weights, items)) < 1e-5);
      assert.deepEqual([...gradients.keys()].toSorted(), [...weights.keys()].toSorted());
      const { found, expected } = alongDirection(testbed, weights, gradients, items);
      assert.ok(Math.abs(found - expected) < 2e-3 * Math.max(Math.abs(expected), 0.05), `derivative ${found}, by differences ${expected}`);
    } finally {
      await training.close();
    }
  });
}

/** The loss's derivative along one random direction: by the gradients, and by central differences of the float64 loss. */
function alongDirection(
  testbed: Testbed,
  weights: ReadonlyMap<string, Float32Array>,
  gradients: ReadonlyMap<string, Float32Array>,
  items: TaskItems,
) {
  const step = 2 ** -12;
  const moved = (sign: number) =>
    new Map(
      [...weights].map(([name, values]) => {
        const stream = new RandomStream(9, `direction/${name}`);
        return [name, values.map((value) => value + (sign * step * stream.normal()) / Math.sqrt(values.length))];
      }),
    );
  const [ahead, behind] = [moved(1), moved(-1)];
  let found = 0;
  for (const [name, slope] of gradients)
    for (const [at, value] of slope.entries()) found += value * (ahead.get(name)![at]! - behind.get(name)![at]!);
  return {
    found: found / (2 * step),
    expected: (referenceLoss(testbed, ahead, items) - referenceLoss(testbed, behind, items)) / (2 * step),
  };
}

function relativeError(actual: Float32Array, expected: Float64Array): number {
  assert.equal(actual.length, expected.length);
  const squares = (values: Iterable<number>) => [...values].reduce((sum, value) => sum + value ** 2, 0);
  return Math.sqrt(squares(expected.map((value, at) => actual[at]! - value)) / squares(expected));
}

test('scores are those of the exited answers, with the layers up to them', { skip }, async () => {
  const testbed = smallTestbed({ attention: ['dense', 'dense', 'dense'], exits: [0.35, 0.3] });
  const items = drawItems(testbed, 5);
  const training = await start(testbed);
  const got = await training.evaluate({ attention: layersOf(testbed), data: await write('scored', items), batch: 2 });
  await training.close();
  const { logits, layers } = referenceAnswers(testbed, stirredWeights(testbed), items);
  const depths = Array.from({ length: 5 }, (_, item) => {
    const scored = [...layers.subarray(item * 21, (item + 1) * 21)].filter((_layers, at) => items.targets[item * 21 + at] !== -1);
    return scored.reduce((sum, each) => sum + each, 0) / scored.length;
  });
  assert.equal(new Set(layers).size, 3, 'an exit is not tried');
  depths.forEach((depth, item) =>
    assert.ok(Math.abs(got.layers![item]! - depth) < 1e-6, `item ${item}: ${got.layers![item]} and ${depth}`),
  );
  const expected = (metric: 'accuracy' | 'bits') => itemScores({ metric, classes: testbed.classes }, items, logits);
  expected('accuracy').forEach((score, item) => assert.ok(Math.abs(got.correct[item]! - score) < 1e-6));
  expected('bits').forEach((score, item) => assert.ok(Math.abs(got.bits[item]! - score) < 1e-4));
});

test('every exit learns the soft labels of the teacher’s last layer, each with the same weight', { skip }, async () => {
  const plain = smallTestbed();
  const testbed = { ...plain, exits: [0.3] };
  const weights = join(folder, 'teacher.safetensors');
  await writeWeights(weights, plain, stirredWeights(plain));
  const items = drawItems(testbed);
  const data = await write('labelled', items);
  const teacher = { weights, attention: layersOf(testbed), weight: 1, temperature: 2 };
  const losses: number[] = [];
  for (const taught of [plain, testbed]) {
    const training = await start(testbed, { teacher: { ...teacher, testbed: taught } });
    losses.push((await training.gradients({ data })).loss);
    await training.close();
  }
  // The last layers are the same: half of the loss is the first exit's distance from them.
  const logProbabilities = (exits: number[] | undefined, place: number) => {
    const logits = referenceForward({ ...plain, exits }, stirredWeights(plain), items);
    const row = logits.subarray(place * testbed.classes, (place + 1) * testbed.classes).map((logit) => logit / 2);
    return [...row.keys()].map((each) => logProbability(row, each));
  };
  const scored = [...items.targets.keys()].filter((place) => items.targets[place] !== -1);
  const divergences = scored.map((place) => {
    const [last, first] = [logProbabilities(undefined, place), logProbabilities([1e-6], place)];
    return 4 * last.reduce((sum, each, at) => sum + Math.exp(each) * (each - first[at]!), 0);
  });
  const expected = divergences.reduce((sum, each) => sum + each, 0) / scored.length / 2;
  for (const loss of losses) assert.ok(Math.abs(loss - expected) < 1e-5, `${loss} and ${expected}`);
});

test('a training that goes on from a checkpoint does exactly what an uninterrupted one does', { skip }, async () => {
  const testbed = smallTestbed({ attention: ['topk:k=5', 'gated:sparsity=0.4,rank=2'] });
  const data = await write('resumed', drawItems(testbed, 8));
  const order = await orderOf('order', 3, 4);
  const attention = layersOf(testbed);
  const epochs = async (training: Training, count: number) => {
    const losses: number[] = [];
    for (let epoch = 0; epoch < count; epoch++) losses.push(...(await training.epoch({ attention, data, order })).losses);
    return losses;
  };
  const whole = await start(testbed);
  const expected = await epochs(whole, 4);
  await whole.close();
  const first = await start(testbed);
  const before = await epochs(first, 2);
  const checkpoint = join(folder, 'checkpoint.safetensors');
  await first.save(checkpoint, { optimizer: true });
  await first.close();
  const second = await start(testbed);
  await second.load(checkpoint);
  const after = await epochs(second, 2);
  await second.close();
  assert.deepEqual([...before, ...after], expected);
  assert.ok(expected.at(-1)! < 0.8 * expected[0]!, `losses ${expected.join(' ')}`);
});

test('a student with its teacher’s weights has nothing to learn from it; another one draws nearer', { skip }, async () => {
  const testbed = smallTestbed();
  const weights = join(folder, 'teacher.safetensors');
  await writeWeights(weights, testbed, stirredWeights(testbed));
  const data = await write('taught', drawItems(testbed, 8));
  const headWeights = [
    [0.1, 0.2, 0.1, 0.1],
    [0.2, 0.1, 0.1, 0.1],
  ];
  const teacher = { testbed, weights, attention: layersOf(testbed), weight: 1, temperature: 2, headWeights, headLoss: 1 };
  const same = await start(testbed, { teacher });
  assert.ok((await same.gradients({ data })).loss < 1e-6);
  await same.close();
  const narrow = smallTestbed({ attention: ['window:w=4', 'window:w=4'] });
  const student = await start(narrow, { teacher });
  const order = await orderOf('taught-order', 6, 8);
  const { losses } = await student.epoch({ attention: layersOf(narrow), data, order });
  await student.close();
  assert.ok(losses.at(-1)! < 0.7 * losses[0]!, `losses ${losses.join(' ')}`);
});

test(
  'shuffled selection is another one than by score, of the same size, the same in every process; heads have an importance',
  { skip },
  async () => {
    const testbed = smallTestbed({ attention: ['topk:k=5', 'block-topk:block=4,blocks=3'] });
    const data = await write('shuffled', drawItems(testbed));
    const results: Float32Array[] = [];
    for (const shuffled of [false, true, true]) {
      const training = await start(testbed, { shuffled });
      results.push(await training.logits({ data }));
      const importance = await training.importance({ data, batch: 2 });
      assert.deepEqual(
        importance.map((heads) => heads.length),
        [4, 4],
      );
      assert.ok(importance.flat().every((value) => value > 0));
      await training.close();
    }
    assert.deepEqual(results[1], results[2]);
    assert.ok(relativeError(results[1]!, Float64Array.from(results[0]!)) > 0.01);
  },
);

test('a loss that is not finite ends the epoch and is told', { skip }, async () => {
  const testbed = smallTestbed();
  const data = await write('diverging', drawItems(testbed, 8));
  const weights = stirredWeights(testbed);
  weights.get('head')!.fill(1e38);
  const path = join(folder, 'huge.safetensors');
  await writeWeights(path, testbed, weights);
  const optimizer = { learningRate: 0.01, weightDecay: 0, warmUpSteps: 0, steps: 3, clip: 1 };
  const training = await adapter.train!({ backend: 'torch-cpu', testbed, weights: path, attention: layersOf(testbed), optimizer });
  assert.ok(!('unsupported' in training));
  const { diverged, losses } = await training.epoch({ attention: layersOf(testbed), data, order: await orderOf('diverging-order', 3, 4) });
  await training.close();
  assert.deepEqual({ diverged, steps: losses.length }, { diverged: true, steps: 0 });
});
