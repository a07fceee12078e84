import assert from 'node:assert/strict';
import { test } from 'node:test';
import { graphOf, declaration, node } from '../fixtures/small-model.ts';
import { GraphIndex } from '../graph/graph-index.ts';
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
