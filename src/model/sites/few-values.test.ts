import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TensorProto_DataType as DataType } from 'onnx-buf';
import type { NodeProto } from 'onnx-buf';
import { declaration, floats, graphOf, integers, node } from '../fixtures/small-model.ts';
import { GraphIndex } from '../graph/graph-index.ts';
import { FewValues } from './few-values.ts';
import type { MaskRule } from './mask-sources.ts';

/** Whether a rule says all of `y`, computed from `mask` of 0 and 1 and `ids` of any whole numbers. */
function isSaid(rule: MaskRule, ...nodes: readonly NodeProto[]): boolean {
  const constants = {
    ...{ one: 1, zero: 0, tenth: 0.1, low: -1e4, lowest: -3.4028234663852886e38, four: -4 },
  };
  const initializers = [
    ...Object.entries(constants).map(([name, value]) => floats(name, [], [value])),
    integers('seven', [], [7]),
    floats('kinds', [4], [0, -1e4, 0, 0]),
    floats('kinds and a bias', [40], [0, -1e4, ...Array.from({ length: 37 }, () => 0), -3]),
    floats('many', [40], [...Array(40).keys()]),
  ];
  const inputs = ['mask', 'ids'].map((name) => declaration(name, [-1, -1], DataType.INT64));
  const index = new GraphIndex(graphOf({ nodes, inputs, outputs: [], initializers }));
  return new FewValues(index, { mask: { kind: 'flags', keeps: 1 }, ids: { kind: 'ids', constants: [], tableSize: 0 } }).isSaidBy(rule, 'y');
}

const numbers = node('Cast', ['mask'], ['m'], { to: DataType.FLOAT });
const dropped = node('Sub', ['one', 'm'], ['dropped']);
const isSeven = node('Equal', ['ids', 'seven'], ['is seven']);
const soft = node('Where', ['is seven', 'four', 'zero'], ['soft']);

test('masks that exporters add to logits hold 0 and what masks, and nothing else', () => {
  const added = [numbers, dropped, node('Mul', ['dropped', 'low'], ['added'])];
  const forms: Readonly<Record<string, readonly NodeProto[]>> = {
    '(1 − mask) · low': [...added, node('Identity', ['added'], ['y'])],
    'the same, as any shape': [...added, node('Unsqueeze', ['added', 'seven'], ['wide']), node('Expand', ['wide', 'seven'], ['y'])],
    'two of them': [...added, node('Where', ['is seven', 'lowest', 'zero'], ['other']), isSeven, node('Add', ['added', 'other'], ['y'])],
    'the logarithm of flags': [numbers, node('Log', ['m'], ['y'])],
    'a row of a table': [node('Gather', ['kinds', 'ids'], ['y'])],
    'the lower of two': [
      ...added,
      node('Where', ['is seven', 'lowest', 'zero'], ['other']),
      isSeven,
      node('Min', ['added', 'other'], ['y']),
    ],
  };
  for (const [name, nodes] of Object.entries(forms)) assert.ok(isSaid('additive', ...nodes), name);
  assert.ok(isSaid('keep', node('Identity', ['mask'], ['y'])));
  assert.ok(isSaid('drop', numbers, dropped, node('Identity', ['dropped'], ['y'])));
  assert.ok(isSaid('keep', isSeven, node('Not', ['is seven'], ['y'])));
});

test('what may bias a key a little is no such mask, whatever was drawn', () => {
  const forms: Readonly<Record<string, readonly NodeProto[]>> = {
    'a bias that an id turns on': [
      numbers,
      dropped,
      node('Mul', ['dropped', 'low'], ['added']),
      isSeven,
      soft,
      node('Add', ['added', 'soft'], ['y']),
    ],
    'a rare row of a table': [node('Gather', ['kinds and a bias', 'ids'], ['y'])],
    'a mask that hides nearly': [numbers, dropped, node('Mul', ['dropped', 'four'], ['y'])],
    'numbers of an input': [node('Cast', ['ids'], ['y'], { to: DataType.FLOAT })],
    'many numbers': [node('Gather', ['many', 'ids'], ['y'])],
    'what no rule here follows': [numbers, node('Softplus', ['m'], ['y'])],
    'weights that are more than flags': [
      numbers,
      dropped,
      node('Mul', ['dropped', 'low'], ['added']),
      node('Add', ['added', 'tenth'], ['y']),
    ],
  };
  for (const [name, nodes] of Object.entries(forms)) assert.ok(!isSaid('additive', ...nodes), name);
  assert.ok(!isSaid('keep', node('Identity', ['ids'], ['y'])));
  assert.ok(!isSaid('keep', isSeven, node('Where', ['is seven', 'four', 'one'], ['y'])));
});
