import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openModel } from '../../adapters/onnx/open-model.ts';
import type { OpenModel } from '../../src/contract/adapter.ts';
import type { Tensor, Tensors } from '../../src/contract/tensor.ts';
import { decodeHalf } from '../../src/inputs/half-precision.ts';
import { tensorOf } from '../../src/inputs/model-inputs.ts';
import { size } from './architecture.ts';
import { models } from './index.ts';
import type { TestModel } from './index.ts';
import { evaluatePlainly } from './evaluate-plainly.ts';
import { keptPositions } from './sequences.ts';
import type { FeedRequest } from './sequences.ts';
import * as gpt2 from './torchscript-gpt2.ts';

const requests: FeedRequest[] = [1, 7, 33].flatMap((length) =>
  [1, 3].flatMap((batch) => [false, true].map((padded) => ({ batch, length, padded, seed: length + batch }))),
);
/** Largest difference from the plain evaluation, relative to the largest output. f16 keeps eleven bits, 8-bit weights seven. */
const tolerances: Readonly<Record<string, number>> = { f16: 1e-2, qdq: 0.15, 'dynamic-int8': 0.15 };
/** The same for how far padded positions may move the others: a scale that follows from a whole tensor moves with them. */
const leaks: Readonly<Record<string, number>> = { 'dynamic-int8': 0.1 };

async function open(model: TestModel): Promise<OpenModel> {
  const opened = await openModel({ backend: 'onnx-cpu', model: model.build() });
  assert.ok(!('unsupported' in opened));
  return opened;
}

async function run(model: OpenModel, feeds: Tensors): Promise<Tensors> {
  const bound = model.bind(feeds);
  await bound.run();
  return bound.outputs();
}

const firstOutput = (outputs: Tensors): Tensor => Object.values(outputs)[0]!;
const numbers = ({ type, data }: Tensor): number[] =>
  Array.from<number | bigint, number>(data, (value) => (type === 'float16' ? decodeHalf(Number(value)) : Number(value)));

/** Values at kept positions, or all where the output has no positions. */
function keptValues(tensor: Tensor, at: FeedRequest): number[] {
  if (tensor.dims.length < 3) return numbers(tensor);
  const kept = keptPositions(at).flat();
  return numbers(tensor).filter((_, index) => kept[Math.floor(index / tensor.dims[2]!)] === true);
}

function largestDifference(a: readonly number[], b: readonly number[]): number {
  assert.equal(a.length, b.length);
  const largest = b.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return a.reduce((most, value, index) => Math.max(most, Math.abs(value - b[index]!)), 0) / largest;
}

for (const [name, model] of Object.entries<TestModel>(models)) {
  describe(name, () => {
    test('is built alike every time, and otherwise from another seed', () => {
      assert.ok(Buffer.from(model.build()).equals(model.build({ seed: 0 })));
      assert.ok(!Buffer.from(model.build({ seed: 1 })).equals(model.build()));
    });

    test('gives finite outputs at every length and batch, padded or not', async () => {
      const opened = await open(model);
      for (const at of requests) {
        const outputs = await run(opened, model.feeds(at));
        for (const output of Object.values(outputs)) {
          assert.equal(output.dims[0], at.batch);
          const values = keptValues(output, at);
          assert.ok(values.length > 0 && values.every(Number.isFinite), JSON.stringify(at));
        }
      }
      await opened.dispose();
    });

    const padded = model.expected.sites.some(({ mask }) => mask === 'padding');
    test(
      'padded positions do not influence the others',
      { skip: padded ? false : 'takes no mask, so its feeds have no padding' },
      async () => {
        const opened = await open(model);
        for (const at of requests.filter(({ padded }) => padded === true)) {
          const [one, other] = [await run(opened, model.feeds(at)), await run(opened, model.feeds({ ...at, padding: 77 }))];
          const difference = largestDifference(keptValues(firstOutput(one), at), keptValues(firstOutput(other), at));
          assert.ok(difference < (leaks[name] ?? 1e-6), `${JSON.stringify(at)}: ${difference}`);
        }
        await opened.dispose();
      },
    );

    const { design } = model;
    if (design === undefined) return;
    test('does not agree with another causality or another scale', async () => {
      const opened = await open(model);
      const at = { batch: 1, length: 33 };
      const output = firstOutput(await run(opened, model.feeds(at)));
      const turned = { ...design, layers: design.layers.map((plan) => ({ ...plan, causal: !plan.causal })) };
      for (const other of [turned, { ...design, scaled: !design.scaled }]) {
        const difference = largestDifference(numbers(output), evaluatePlainly(other, model.feeds(at), at));
        assert.ok(difference > 0.2, `${difference}`);
      }
      await opened.dispose();
    });

    test('agrees with the plain evaluation of its architecture', async () => {
      const opened = await open(model);
      for (const at of requests) {
        const feeds = model.feeds(at);
        const output = firstOutput(await run(opened, feeds));
        const plain: Tensor = { ...output, type: 'float64', data: Float64Array.from(evaluatePlainly(design, feeds, at)) };
        const difference = largestDifference(keptValues(output, at), keptValues(plain, at));
        assert.ok(difference < (tolerances[name] ?? 1e-5), `${JSON.stringify(at)}: ${difference}`);
      }
      await opened.dispose();
    });
  });
}

describe('torchscript-gpt2', () => {
  test('tokens fed in two parts, through present and past, give the logits of all at once', async () => {
    const opened = await open(gpt2);
    const whole = gpt2.feeds({ batch: 2, length: 9, past: 0 });
    const expected = numbers((await run(opened, whole))['logits']!);
    const cut = (from: number, to: number): Tensor => {
      const ids = numbers(whole['input_ids']!);
      return tensorOf('int64', [2, to - from], [...ids.slice(from, to), ...ids.slice(9 + from, 9 + to)]);
    };
    const mask = (length: number): Tensor => tensorOf('int64', [2, length], new Array<number>(2 * length).fill(1));
    const start = await run(opened, { ...whole, input_ids: cut(0, 5), attention_mask: mask(5) });
    const past = Object.fromEntries(Object.entries(start).map(([name, value]) => [name.replace('present', 'past_key_values'), value]));
    delete past['logits'];
    const rest = await run(opened, { ...past, input_ids: cut(5, 9), attention_mask: mask(9) });
    const wide = size.vocabulary;
    const last = [...expected.slice(5 * wide, 9 * wide), ...expected.slice(14 * wide)];
    assert.ok(largestDifference(numbers(rest['logits']!), last) < 1e-5);
    await opened.dispose();
  });
});
