import assert from 'node:assert/strict';
import { test } from 'node:test';
import { declaration, floats, graphOf, node } from '../fixtures/small-model.ts';
import { GraphIndex } from './graph-index.ts';

test('what a branch takes from outside decides whether its If is constant', () => {
  const branch = (of: string) => graphOf({ nodes: [node('Identity', [of], ['result'])], outputs: [declaration('result', [])] });
  const choose = (output: string, other: string) =>
    node('If', ['condition'], [output], { then_branch: { graph: branch('one') }, else_branch: { graph: branch(other) } });
  const index = new GraphIndex(
    graphOf({
      nodes: [choose('fixed', 'two'), choose('open', 'temperature')],
      inputs: [declaration('temperature', [])],
      outputs: [],
      initializers: ['condition', 'one', 'two'].map((name) => floats(name, [], [1])),
    }),
  );
  assert.deepEqual([index.isConstant('fixed'), index.isConstant('open')], [true, false]);
});
