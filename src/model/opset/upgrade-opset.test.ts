import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema, TensorProto_DataType as DataType } from 'onnx-buf';
import type { ModelProto } from 'onnx-buf';
import * as ort from '../../processes/onnxruntime.ts';
import { AttnswapError } from '../../contract/errors.ts';
import { declaration, graphOf, modelOf, node } from '../fixtures/small-model.ts';
import { caseModel, cases, tensorOf } from '../fixtures/upgrade-cases.ts';
import { refusals, untouched } from '../fixtures/upgrade-limits.ts';
import { parseModel } from '../file/onnx-file.ts';
import { upgradeOpset } from './upgrade-opset.ts';

async function run(
  model: ModelProto,
  feeds: Readonly<Record<string, ort.Tensor>>,
): Promise<ReadonlyMap<string, readonly [readonly number[], Buffer]>> {
  const session = await ort.InferenceSession.create(toBinary(ModelProtoSchema, model), { logSeverityLevel: 4 });
  try {
    const results = await session.run(feeds);
    return new Map(
      Object.entries(results).map(([name, { dims, data }]) => {
        const { buffer, byteOffset, byteLength, length } = data as Float32Array;
        assert.equal(
          length,
          dims.reduce((product, size) => product * size, 1),
          `${name} has all its values`,
        );
        return [name, [[...dims], Buffer.from(Buffer.from(buffer, byteOffset, byteLength))]];
      }),
    );
  } finally {
    await session.release();
  }
}

for (const [name, one] of Object.entries(cases)) {
  test(`opset 13 computes the same to the bit: ${name}`, async () => {
    const model = caseModel(one);
    const before = toBinary(ModelProtoSchema, model);
    const { proto } = upgradeOpset(model, 13);
    assert.deepEqual(toBinary(ModelProtoSchema, model), before, 'the model that was given is unchanged');
    assert.equal(proto.opsetImport[0]!.version, 13n);
    if (one.operators !== undefined)
      assert.deepEqual(
        proto.graph!.node.map(({ opType }) => opType),
        one.operators,
      );
    parseModel(toBinary(ModelProtoSchema, proto), name);
    const feeds = one.feeds ?? { x: tensorOf([2, 3, 4]) };
    assert.deepEqual(await run(proto, feeds), await run(model, feeds));
  });
}

for (const [name, one] of Object.entries(untouched)) {
  test(`a node stays whose result is the same: ${name}`, async () => {
    const model = caseModel(one);
    const { proto, rewritten } = upgradeOpset(model, 13);
    assert.deepEqual(rewritten, []);
    const feeds = one.feeds ?? { x: tensorOf([2, 3, 4]) };
    assert.deepEqual(await run(proto, feeds), await run(model, feeds));
  });
}

test('rewritten nodes are told by their names, or by operator and output, those of subgraphs too', () => {
  const named = node('Squeeze', ['x'], ['a'], { axes: [0] });
  named.name = 'first';
  const inner = graphOf({ nodes: [node('Clip', ['a'], ['t'], { min: { float: 0 } })], outputs: [declaration('t')] });
  const condition = node('If', ['c'], ['y'], { then_branch: { graph: inner }, else_branch: { graph: inner } });
  const inputs = [declaration('x', [1, 4]), declaration('c', [], DataType.BOOL)];
  const model = modelOf(graphOf({ nodes: [named, condition], inputs, outputs: [declaration('y')] }), { opset: 9 });
  assert.deepEqual(upgradeOpset(model, 13).rewritten, ['first', 'Clip → t', 'Clip → t']);
});

test('a rank that the body of a loop declares is not believed: what a loop carries may change its shape', () => {
  const body = graphOf({
    nodes: [node('Identity', ['on'], ['stillOn']), node('Softmax', ['carried'], ['next'], { axis: 1 })],
    inputs: [declaration('at', [], DataType.INT64), declaration('on', [], DataType.BOOL), declaration('carried', [2, 3])],
    outputs: [declaration('stillOn', [], DataType.BOOL), declaration('next', [2, 3])],
  });
  const loop = node('Loop', ['', 'x', 'x'], ['y'], { body: { graph: body } });
  const { proto } = upgradeOpset(caseModel({ opset: 11, nodes: [loop] }), 13);
  const inner = proto.graph!.node[0]!.attribute[0]!.g!.node.map(({ opType }) => opType);
  assert.deepEqual(inner, ['Identity', 'Flatten', 'Softmax', 'Shape', 'Reshape']);
});

test('a model of opset 13 or more, or without standard operators, comes back itself', () => {
  for (const opset of [13, 17, 23]) {
    const model = caseModel({ opset, nodes: [node('Relu', ['x'], ['y'])] });
    assert.equal(upgradeOpset(model, 13).proto, model);
  }
  const other = caseModel({ opset: 1, nodes: [node('Relu', ['x'], ['y'])] });
  other.opsetImport[0]!.domain = 'com.microsoft';
  assert.equal(upgradeOpset(other, 13).proto, other);
});

for (const [name, [opset, nodes, message]] of Object.entries(refusals)) {
  test(`upgradeOpset refuses ${name}, and says a way out`, () => {
    const refused = (error: unknown): boolean =>
      error instanceof AttnswapError && error.code === 'INVALID_MODEL' && message.test(error.message) && error.hint !== undefined;
    assert.throws(() => upgradeOpset(caseModel({ opset, nodes }), 13), refused);
  });
}
