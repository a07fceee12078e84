import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';
import { declaration, graphOf, modelOf, node } from '../fixtures/small-model.ts';
import { parseModel } from './onnx-file.ts';

const outputsOf = (nodes: ReadonlyArray<{ readonly output: readonly string[] }>) => nodes.map(({ output }) => output[0]);

/** The nodes of a model as they are read, by output. */
function read(list: ReturnType<typeof node>[]) {
  const model = modelOf(graphOf({ nodes: list, inputs: [declaration('x', [4])], outputs: [declaration('y')] }));
  return parseModel(new Uint8Array(toBinary(ModelProtoSchema, model)), 'model').graph!.node;
}

test('nodes out of order are put in order, as runtimes do', () => {
  const sorted = read([node('Add', ['b', 'a'], ['y']), node('Neg', ['a'], ['b']), node('Abs', ['x'], ['a'])]);
  assert.deepEqual(outputsOf(sorted), ['a', 'b', 'y']);
});

test('nodes in order stay where they are', () => {
  const sorted = read([node('Abs', ['x'], ['b']), node('Neg', ['x'], ['a']), node('Add', ['b', 'a'], ['y'])]);
  assert.deepEqual(outputsOf(sorted), ['b', 'a', 'y']);
});

test('what a branch reads comes before it, and a branch is sorted itself', () => {
  const inside = () => ({ graph: graphOf({ nodes: [node('Neg', ['c'], ['z']), node('Abs', ['a'], ['c'])], outputs: [declaration('z')] }) });
  const sorted = read([node('If', ['x'], ['y'], { then_branch: inside(), else_branch: inside() }), node('Abs', ['x'], ['a'])]);
  assert.deepEqual(outputsOf(sorted), ['a', 'y']);
  assert.deepEqual(
    sorted[1]!.attribute.map(({ g }) => outputsOf(g!.node)),
    [
      ['c', 'z'],
      ['c', 'z'],
    ],
  );
});
