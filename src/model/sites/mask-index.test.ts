import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { NodeProtoSchema } from 'onnx-buf';
import { inMemory, runner } from '../../../tests/subjects.ts';
import { RandomStream } from '../../inputs/random.ts';
import { elementTypes } from '../graph/element-types.ts';
import { GraphBuilder } from '../graph/graph-builder.ts';
import { findSites } from './find-sites.ts';

const [hidden, tokens] = [32, 64];

/** What ONNX Runtime's optimizer makes of a BERT: the mask as a count of tokens, beside the embeddings. */
function optimized(): Uint8Array {
  const graph = new GraphBuilder({ opset: 17 });
  const stream = new RandomStream(1, 'mask index');
  const table = (name: string, sizes: readonly number[]) => {
    const count = sizes.reduce((product, size) => product * size, 1);
    return graph.initializer(
      name,
      Float32Array.from({ length: count }, () => stream.normal()),
      sizes,
    );
  };
  for (const name of ['input_ids', 'token_type_ids', 'attention_mask']) graph.input(name, 'i64', ['batch', 'sequence']);
  const [ids, types, mask] = ['input_ids', 'token_type_ids', 'attention_mask'].map((name) =>
    graph.op('Cast', [name], { to: elementTypes.i32 }),
  );
  const weights = [table('words', [tokens, hidden]), table('positions', [tokens, hidden]), table('types', [2, hidden])];
  const node = (opType: string, input: readonly string[], output: readonly string[]) =>
    create(NodeProtoSchema, { opType, domain: 'com.microsoft', name: opType, input: [...input], output: [...output] });
  const heads = new GraphBuilder({ opset: 17, prefix: 'heads' });
  heads.op('Attention', [], { num_heads: 2 });
  const attention = node('Attention', ['embedded', table('qkv', [hidden, 3 * hidden]), table('shift', [3 * hidden]), 'mask_index'], ['y']);
  attention.attribute = heads.fragment()[0]!.attribute;
  const norms = [table('gamma', [hidden]), table('beta', [hidden])];
  graph.append([node('EmbedLayerNormalization', [ids!, types!, ...weights, ...norms, mask!], ['embedded', 'mask_index']), attention]);
  return graph.model([{ name: 'output', value: 'y', type: 'f32' }]);
}

test('a mask index that is computed beside embeddings follows from the mask alone', async () => {
  const { sites, scopes } = await findSites(inMemory('optimized', optimized()), runner);
  assert.deepEqual(
    sites.map(({ mask, causal, swappable, reason }) => [mask, causal, swappable, reason]),
    [['padding', false, true, undefined]],
  );
  assert.deepEqual(Object.keys(scopes[0]!.probe.domains), ['attention_mask']);
});
