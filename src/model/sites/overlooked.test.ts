import assert from 'node:assert/strict';
import { test } from 'node:test';
import { graphOf, declaration, node } from '../fixtures/small-model.ts';
import { GraphIndex } from '../graph/graph-index.ts';
import { matchSoftmaxes } from './match-softmax.ts';
import { overlookedAttention } from './overlooked.ts';

/** q·kᵀ, so many operators that leave logits logits, a softmax, and a product with values. */
function chain(steps: number) {
  const names = Array.from({ length: steps + 1 }, (_, at) => `logits${at}`);
  const nodes = [
    node('MatMul', ['q', 'k'], ['logits0']),
    ...names.slice(1).map((name, at) => node('Concat', [names[at]!], [name], { axis: 0 })),
    node('Softmax', [names.at(-1)!], ['weights']),
    node('MatMul', ['weights', 'v'], ['y']),
  ];
  const inputs = ['q', 'k', 'v'].map((name) => declaration(name, [-1, 4, 4, 4]));
  return new GraphIndex(graphOf({ nodes, inputs, outputs: [declaration('y', [-1, 4, 4, 4])] }));
}

test('a softmax behind which a product lies too far away is not said to be no attention', () => {
  const reasonAt = (steps: number) => overlookedAttention(chain(steps), new Set())[0]!.reason;
  assert.match(reasonAt(3), /appends extra logits/);
  assert.match(reasonAt(50), /^no product of queries and keys precedes its softmax within 40 operators/);
});

/** Products around a softmax by other operators. */
function around(opType: string, domain: string, product = 'MatMul') {
  const softmax = Object.assign(node(opType, ['logits', 'scale'], ['weights']), { domain });
  const nodes = [node(product, ['q', 'k'], ['logits']), softmax, node(product, ['weights', 'v', '', 'v'], ['y'])];
  const inputs = ['q', 'k', 'v'].map((name) => declaration(name, [-1, 4, 4, 4]));
  return new GraphIndex(graphOf({ nodes, inputs, outputs: [declaration('y', [-1, 4, 4, 4])] }));
}

test('ONNX Runtime’s own kinds of softmax are told', () => {
  const [quantized] = overlookedAttention(around('QLinearSoftmax', 'com.microsoft', 'MatMulInteger'), new Set());
  assert.match(quantized!.reason, /its products are computed in integers/);
  assert.equal(overlookedAttention(around('BiasSoftmax', 'com.microsoft'), new Set()).length, 1);
});

test('a function that is called Softmax is none of ONNX', () => {
  assert.equal(matchSoftmaxes(around('Softmax', '')).length, 1);
  assert.deepEqual(matchSoftmaxes(around('Softmax', 'torch.nn.modules.activation')), []);
});

test('weights that are no softmax of the logits are told, and parts of a softmax are not', () => {
  const weigh = (nodes: readonly ReturnType<typeof node>[]) => {
    const all = [node('MatMul', ['q', 'k'], ['logits']), ...nodes, node('MatMul', ['weights', 'v'], ['y'])];
    const inputs = ['q', 'k', 'v'].map((name) => declaration(name, [-1, 4, 4, 4]));
    return overlookedAttention(new GraphIndex(graphOf({ nodes: all, inputs, outputs: [] })), new Set()).map(({ reason }) => reason);
  };
  const powers = [node('Exp', ['logits'], ['powers']), node('ReduceSum', ['powers'], ['sum'])];
  const [beside] = weigh([...powers, node('Add', ['sum', 'one'], ['more']), node('Div', ['powers', 'more'], ['weights'])]);
  assert.match(beside!, /exponentials that are not divided by their sum, not a softmax/);
  assert.match(weigh([node('LogSoftmax', ['logits'], ['logs']), node('Exp', ['logs'], ['weights'])])[0]!, /exponentials/);
  assert.match(weigh([node('Relu', ['logits'], ['weights'])])[0]!, /the positive logits/);
  const plain = weigh([...powers, node('Div', ['powers', 'sum'], ['weights'])]);
  assert.equal(plain.filter((reason) => reason.includes('exponentials')).length, 0);
});
