import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostedCases } from '../model/hosted/cases.ts';
import { sizesOfInputs } from '../model/sites/probe-inputs.ts';
import { dimensionNames, requireDimensions } from './dimension-names.ts';
import { drawModelInputs } from './model-inputs.ts';

const known = dimensionNames([
  { name: 'input_ids', dims: ['batch', 'sequence'] },
  { name: 'attention_mask', dims: ['batch', 'past + sequence + 1'] },
  { name: 'image', dims: ['', 3, 224, ''] },
]);

test('dynamic dimensions have their names, else the input and the axis; a sum has its parts, too', () => {
  assert.deepEqual([...known], ['batch', 'sequence', 'past + sequence + 1', 'past', 'image.0', 'image.3']);
});

test('a dimension that no input has is refused by name, with what there is and the nearest', () => {
  assert.doesNotThrow(() => requireDimensions({ batch: 1, past: 2, 'image.3': 8 }, known, 'model.onnx'));
  assert.throws(() => requireDimensions({ batch: 1, sequense: 8 }, known, 'model.onnx'), {
    code: 'USAGE',
    message:
      '--dim sequense: no input of model.onnx has this dynamic dimension, expected batch, sequence, past + sequence + 1, past, image.0, image.3',
    hint: 'did you mean --dim sequence=8?',
  });
  assert.throws(() => requireDimensions({ 'image.1': 8 }, known, 'model.onnx'), { hint: 'did you mean --dim image.0=8?' });
  assert.throws(() => requireDimensions({ toString: 8 }, known, 'model.onnx'), { hint: 'name one of them, or omit it' });
});

test('of a model without dynamic dimensions any is refused', () => {
  assert.throws(() => requireDimensions({ batch: 1 }, dimensionNames([{ name: 'x', dims: [1, 3] }]), 'fixed.onnx'), {
    message: '--dim batch: no input of fixed.onnx has this dynamic dimension, which has none to set',
  });
});

test('a dimension without a name has the size that is given for its input and axis', () => {
  const inputs = [{ name: 'x', type: 'float32' as const, dims: ['batch', 3, ''] }];
  assert.deepEqual(drawModelInputs(inputs, { batch: 2, 'x.2': 5 }, 1)['x']!.dims, [2, 3, 5]);
  assert.throws(() => drawModelInputs(inputs, { batch: 2 }, 1), { code: 'INVALID_INPUTS', message: /"x\.2"/, hint: '--dim x.2=128' });
});

const summed = [{ name: 'x', type: 'float32' as const, dims: ['left + middle + right + 2', 4] }];

test('a sum of any number of parts has the size that they give, wherever inputs are drawn', () => {
  const given = { left: 3, middle: 1, right: 2 };
  assert.deepEqual(drawModelInputs(summed, given, 1)['x']!.dims, [8, 4]);
  assert.deepEqual(sizesOfInputs(summed, { batch: 1, length: 7, past: 0 }, given), [[8, 4]]);
  const cases = hostedCases(summed, { longest: null, sizes: given });
  assert.deepEqual(
    cases.map(({ feeds }) => feeds['x']!.dims),
    cases.map(() => [8, 4]),
  );
  assert.ok(cases.length > 0);
});

test('a size that is given for the whole sum comes first; without it, and without a part, the part is asked for', () => {
  assert.deepEqual(drawModelInputs(summed, { 'left + middle + right + 2': 5, left: 3 }, 1)['x']!.dims, [5, 4]);
  assert.throws(() => drawModelInputs(summed, { left: 3, right: 2 }, 1), { code: 'INVALID_INPUTS', hint: '--dim middle=128' });
});

test('what only looks like a sum is a name', () => {
  const odd = [{ name: 'x', dims: ['c++', '+ 1', '7'] }];
  assert.deepEqual([...dimensionNames(odd)], ['c++', '+ 1', '7']);
});
