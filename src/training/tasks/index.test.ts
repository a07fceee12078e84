import assert from 'node:assert/strict';
import test from 'node:test';
import { AttnswapError } from '../../contract/errors.ts';
import { taskFamilies, taskOf } from './index.ts';

test('a task’s name is read back as the same task', () => {
  for (const family of Object.keys(taskFamilies))
    for (const preset of ['quick', 'full']) {
      const task = taskOf(`${family}.${preset}`);
      assert.equal(taskOf(task.name).name, task.name);
    }
});

test('what is not given comes from the preset, quick where none is named', () => {
  assert.equal(taskOf('recall').name, taskOf('recall.quick').name);
  assert.equal(taskOf('recall:pairs=4, length=128').name, 'recall:pairs=4,length=128,keys=32,values=32');
  assert.equal(taskOf('induction.full:gap=64').name, 'induction:symbols=32,copy=32,gap=64,length=512');
  assert.equal(taskOf('digits.full').length, 785);
});

test('chance is one value, one symbol, one end of a chain, one character, one masked character, one digit, one digit from one side, no sentence, one color', () => {
  assert.deepEqual(
    ['recall', 'induction', 'hops', 'prose', 'mlm', 'digits', 'clips', 'translate', 'fuse'].map((name) => taskOf(name).chance),
    [1 / 32, 1 / 16, 1 / 4, Math.log2(82), Math.log2(82), 0.1, 1 / 40, 0, 1 / 8],
  );
});

test('unknown tasks, presets and parameters are refused by name', () => {
  const refused = (text: string, message: RegExp) =>
    assert.throws(
      () => taskOf(text),
      (error: unknown) => error instanceof AttnswapError && error.code === 'INVALID_PARAMETERS' && message.test(error.message),
    );
  refused('recal', /unknown task "recal", expected one of recall, induction/);
  refused('constructor', /unknown task "constructor"/);
  refused('recall.huge', /unknown preset "huge", expected quick or full/);
  refused('recall:pears=3', /unknown parameter "pears"; expected pairs, length, keys, values/);
  refused('recall:pairs=two', /got "pairs=two", expected key=whole number/);
  refused('recall:pairs=2,pairs=3', /expected each key once/);
  refused('recall:', /got "", expected key=whole number/);
  refused('recall pairs', /got "recall pairs"/);
});
