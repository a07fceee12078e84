import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  FunctionProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
} from 'onnx-buf';
import type { AttributeProto, FunctionProto, ModelProto } from 'onnx-buf';
import { swap } from '../../operations/swap.ts';
import { GraphBuilder } from '../graph/graph-builder.ts';
import { inlineFunctions } from './inline-functions.ts';

const opset = 18;

function functionOf(name: string, build: (graph: GraphBuilder) => string, attributeProto: AttributeProto[] = []): FunctionProto {
  const graph = new GraphBuilder({ opset });
  const result = build(graph);
  const nodes = [...graph.fragment(), ...graph.named('Identity', [result], 'result')];
  const opsetImport = [
    create(OperatorSetIdProtoSchema, { domain: '', version: BigInt(opset) }),
    create(OperatorSetIdProtoSchema, { domain: 'own', version: 1n }),
  ];
  return create(FunctionProtoSchema, {
    name,
    domain: 'own',
    input: ['q', 'k', 'v'],
    output: ['result'],
    node: nodes,
    opsetImport,
    attributeProto,
  });
}

const float = (name: string, f: number) => create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f });

/** softmax(scale·q·kᵀ)·v as a function, called by another one, once with the scale of the call and once with its default. */
function model(): ModelProto {
  const attend = functionOf(
    'attend',
    (graph) => {
      const logits = graph.op('MatMul', ['q', graph.op('Transpose', ['k'], { perm: [0, 1, 3, 2] })]);
      graph.append([
        create(NodeProtoSchema, {
          opType: 'Constant',
          name: 'factor',
          output: ['factor'],
          attribute: [create(AttributeProtoSchema, { name: 'value_float', type: AttributeType.FLOAT, refAttrName: 'scale' })],
        }),
      ]);
      return graph.op('MatMul', [graph.op('Softmax', [graph.op('Mul', [logits, 'factor'])], { axis: -1 }), 'v']);
    },
    [float('scale', 0.25)],
  );
  const call = (input: readonly string[], output: string, attribute = [float('scale', 0.5)]) =>
    create(NodeProtoSchema, { opType: 'attend', domain: 'own', name: `call ${output}`, input: [...input], output: [output], attribute });
  const twice = functionOf('twice', (graph) => {
    graph.append([call(['q', 'k', 'v'], 'once'), call(['once', 'k', 'v'], 'again', [])]);
    return 'again';
  });
  const graph = new GraphBuilder({ opset });
  for (const name of ['x', 'y']) graph.input(name, 'f32', ['batch', 2, 'sequence', 8]);
  graph.append([create(NodeProtoSchema, { opType: 'twice', domain: 'own', name: 'call', input: ['x', 'y', 'y'], output: ['z'] })]);
  const proto = fromBinary(ModelProtoSchema, graph.model([{ name: 'out', value: 'z', type: 'f32' }]));
  proto.opsetImport.push(create(OperatorSetIdProtoSchema, { domain: 'own', version: 1n }));
  proto.functions = [attend, twice];
  return proto;
}

test('attention in functions that call each other is swapped, and compared with the file that calls them', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'attnswap-functions-'));
  const path = join(folder, 'model.onnx');
  writeFileSync(path, toBinary(ModelProtoSchema, model()));
  const record = await swap({ model: path, out: join(folder, 'swapped.onnx'), variants: ['dense.fused'] });
  assert.deepEqual(record.inlinedFunctions.toSorted(), ['attend', 'twice']);
  assert.deepEqual(
    record.changes.map(({ site, variant }) => [site, variant]),
    [
      [0, 'dense.fused'],
      [1, 'dense.fused'],
    ],
  );
  assert.ok(record.comparison.largest < 1e-5);
});

test('a function of other operators than the model’s, or one that calls itself, is left alone', () => {
  const other = model();
  other.functions[0]!.opsetImport[0]!.version = 17n;
  assert.equal(inlineFunctions(other).proto, other);
  const circle = model();
  circle.functions[0]!.node = circle.functions[1]!.node;
  assert.equal(inlineFunctions(circle).proto, circle);
});
