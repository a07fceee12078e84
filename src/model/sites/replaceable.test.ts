import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';
import type { ModelProto, TensorProto } from 'onnx-buf';
import { torchScript } from '../../../tests/models/exporters.ts';
import { tensorProto, valueInfo } from '../../../tests/models/protos.ts';
import { buildUnseen, causalWhere } from '../../../tests/models/unseen-causes.ts';
import { inMemory, runner } from '../../../tests/subjects.ts';
import { declaration, floats, graphOf, modelOf, node } from '../fixtures/small-model.ts';
import { findSites } from './find-sites.ts';
import { replaceableDefaults } from './replaceable.ts';

const weights = floats('weights', [16, 16], new Array<number>(256).fill(0));
const temperature = floats('temperature', [1], [1]);

interface Form {
  readonly initializers: readonly TensorProto[];
  readonly inputs: readonly string[];
  readonly irVersion?: number;
  readonly constant?: TensorProto;
}

function defaultsOf({ initializers, inputs, irVersion = 8, constant }: Form): string[] {
  const nodes = constant === undefined ? [] : [node('Constant', [], ['stored'], { value: { tensor: constant } })];
  const graph = graphOf({ nodes, inputs: inputs.map((name) => declaration(name, [1])), outputs: [], initializers });
  return [...replaceableDefaults(modelOf(graph, { irVersion }))];
}

describe('an initializer that is an input too', () => {
  test('is a default beside weights that are none', () =>
    assert.deepEqual(defaultsOf({ initializers: [weights, temperature], inputs: ['x', 'temperature'] }), ['temperature']));
  test('is a default where weights are nodes, or there are none', () => {
    assert.deepEqual(defaultsOf({ initializers: [temperature], inputs: ['x', 'temperature'], constant: weights }), ['temperature']);
    assert.deepEqual(defaultsOf({ initializers: [temperature], inputs: ['x', 'temperature'] }), ['temperature']);
  });
  test('is a constant where weights are listed like it, or it cannot be replaced', () => {
    assert.deepEqual(defaultsOf({ initializers: [weights, temperature], inputs: ['x', 'weights', 'temperature'] }), []);
    assert.deepEqual(defaultsOf({ initializers: [temperature], inputs: ['x', 'temperature'], irVersion: 3 }), []);
  });
});

test('attention that is causal as long as a caller does not say otherwise is refused', async () => {
  const switched = buildUnseen(
    { logits: (g, logits, x) => causalWhere(g, logits, x, g.op('Greater', ['streaming', g.float(0)])) },
    { ...torchScript(14), weights: 'nodes' },
  );
  const proto: ModelProto = fromBinary(ModelProtoSchema, switched);
  proto.graph!.initializer.push(tensorProto('streaming', 'f32', [], [1]));
  proto.graph!.input.push(valueInfo('streaming', 'f32', []));
  const { sites } = await findSites(inMemory('a default', toBinary(ModelProtoSchema, proto)), runner);
  assert.equal(sites.length, 1);
  assert.match(sites[0]!.reason ?? '', /streaming reaches its mask, and its default may be replaced/);
});
