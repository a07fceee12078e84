import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OpenModel } from '../contract/adapter.ts';
import type { Item } from '../contract/data.ts';
import type { Tensors } from '../contract/tensor.ts';
import { OriginalOutputs } from './original-outputs.ts';

const items = [1, 2, 3].map((id): Item => ({ id: `${id}`, length: 1, feeds: {} }));

/** A model that answers the number of its call, 400 bytes of it, and counts. */
function counting(fails = false) {
  const counts = { opened: 0, runs: 0, disposed: 0 };
  const open = async (): Promise<OpenModel> => {
    counts.opened += 1;
    const run = async () => {
      if (fails) throw new Error('too long\nand more');
      counts.runs += 1;
    };
    const outputs = (): Tensors => ({ y: { type: 'float32', dims: [100], data: new Float32Array(100).fill(counts.runs) } });
    return { inputs: [], outputs: ['y'], bind: () => ({ run, outputs }), dispose: async () => void (counts.disposed += 1) };
  };
  return { counts, open };
}

const firstValues = (outputs: OriginalOutputs) =>
  outputs.using(async (outputsOf) => {
    const found: number[] = [];
    for (const item of items) found.push(Number((await outputsOf(item))['y']!.data[0]));
    return found;
  });

test('the original runs once an item, and is opened no more once all is known', async () => {
  const { counts, open } = counting();
  const outputs = new OriginalOutputs(open);
  assert.deepEqual(await firstValues(outputs), [1, 2, 3]);
  assert.deepEqual(await firstValues(outputs), [1, 2, 3]);
  assert.deepEqual(counts, { opened: 1, runs: 3, disposed: 1 });
});

test('the original is not opened where nothing is asked of it', async () => {
  const { counts, open } = counting();
  assert.equal(await new OriginalOutputs(open).using(async () => 'refused'), 'refused');
  assert.equal(counts.opened, 0);
});

test('what there is no room for runs anew', async () => {
  const { counts, open } = counting();
  const outputs = new OriginalOutputs(open, 900);
  assert.deepEqual(await firstValues(outputs), [1, 2, 3]);
  assert.deepEqual(await firstValues(outputs), [1, 2, 4]);
  assert.deepEqual(counts, { opened: 2, runs: 4, disposed: 2 });
});

test('an item that the original does not run on is named', async () => {
  const { counts, open } = counting(true);
  await assert.rejects(firstValues(new OriginalOutputs(open)), {
    code: 'INVALID_DATA',
    message: 'the model does not run on item 1: too long',
  });
  assert.equal(counts.disposed, 1);
});
