import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assertSwapped } from '../../../tests/assert-swapped.ts';
import { inMemory, subjectOf } from '../../../tests/subjects.ts';
import type { Tensors } from '../../contract/tensor.ts';
import { tensorOf } from '../../inputs/model-inputs.ts';
import { RandomStream } from '../../inputs/random.ts';
import type { OnnxFile } from '../file/onnx-file.ts';
import { GraphBuilder } from '../graph/graph-builder.ts';
import type { Value } from '../graph/graph-builder.ts';

const [heads, headDim] = [4, 8];
const stream = new RandomStream(1, 'encoder keys');
const draw = (...dims: readonly number[]) =>
  tensorOf('float32', dims, stream.fillNormal(new Float32Array(dims.reduce((product, size) => product * size, 1)), 1));

interface Form {
  /** What makes four axes of `[batch, heads, encoded, width]` of the inputs `k` and `v`, where they are not that. */
  readonly given?: 'transposed' | 'reshaped';
  readonly bias?: boolean;
  readonly masked?: boolean;
  /** Whether the operator also gives the keys and values that it attended to. */
  readonly handsOn?: boolean;
}

/** MultiHeadAttention over an encoder's keys and values of four axes. */
function appendCross(graph: GraphBuilder, query: Value, { given, bias = true, masked = false, handsOn = false }: Form) {
  const [key = '', value = ''] = ['k', 'v'].map((name) => {
    const sizes = given === 'transposed' ? ['batch', 'encoded', heads, headDim] : ['batch', heads, 'encoded', headDim];
    const own = graph.input(name, 'f32', sizes);
    if (given === 'transposed') return graph.op('Transpose', [own], { perm: [0, 2, 1, 3] });
    // Of sizes that the graph does not tell.
    return given === 'reshaped' ? graph.op('Reshape', [own, graph.op('Concat', [graph.sizes(own, 0, 4)], { axis: 0 })]) : own;
  });
  const width = 3 * heads * headDim;
  const shift = bias ? graph.initializer('shift', stream.fillNormal(new Float32Array(width), 1), [width]) : '';
  const mask = masked ? [graph.input('mask', 'i32', ['batch', 'encoded'])] : [];
  return graph.ops('MultiHeadAttention', [query, key, value, shift, ...mask], { num_heads: heads }, handsOn ? 3 : 1);
}

function overEncoder(form: Form): OnnxFile {
  const graph = new GraphBuilder({ opset: 21 });
  const [y = '', ...presents] = appendCross(graph, graph.input('q', 'f32', ['batch', 'sequence', heads * headDim]), form);
  const more = presents.map((value, at) => ({ name: ['present_key', 'present_value'][at]!, value, type: 'f32' as const }));
  return inMemory('encoder', graph.model([{ name: 'y', value: y, type: 'f32' }, ...more]));
}

/** Of one key, of fewer than queries, and of more. */
function itemsOf({ given, masked = false }: Form): Tensors[] {
  return [
    [1, 1, 1],
    [2, 7, 3],
    [3, 1, 33],
  ].map(([batch = 0, queries = 0, encoded = 0]) => {
    const sizes = given === 'transposed' ? [batch, encoded, heads, headDim] : [batch, heads, encoded, headDim];
    const kept = Array.from({ length: batch * encoded }, (_, at) => (at % encoded === 0 || at % 3 > 0 ? 1 : 0));
    return {
      q: draw(batch, queries, heads * headDim),
      k: draw(...sizes),
      v: draw(...sizes),
      ...(masked && { mask: tensorOf('int32', [batch, encoded], kept) }),
    };
  });
}

describe('MultiHeadAttention over keys and values with four axes', () => {
  const forms: Readonly<Record<string, Form>> = {
    'with a bias': {},
    'with a bias and padding': { masked: true },
    'with a bias, transposed before it': { given: 'transposed' },
    'with a bias, and handed on': { handsOn: true },
    'without a bias, and handed on': { handsOn: true, bias: false },
  };
  for (const [name, form] of Object.entries(forms))
    test(`${name}, is swapped: of the bias, the queries' part counts alone`, async () => {
      const [site] = await assertSwapped(overEncoder(form), 'dense.tiled', itemsOf(form));
      assert.deepEqual([site!.mask, site!.crossAttention], [form.masked === true ? 'padding' : 'none', true]);
    });

  test('is refused by name where the graph does not tell how many axes they have, and no other attention with it', async () => {
    const graph = new GraphBuilder({ opset: 21 });
    const query = graph.input('q', 'f32', ['batch', 'sequence', heads * headDim]);
    const [first = ''] = graph.ops('MultiHeadAttention', [query, query, query], { num_heads: heads }, 1);
    const [second = ''] = appendCross(graph, first, { given: 'reshaped' });
    const [last = ''] = graph.ops('MultiHeadAttention', [second, first, second], { num_heads: heads }, 1);
    // With sizes of its own, the search for inputs that the model takes is short.
    const sizes = { batch: 2, sequence: 9, encoded: 6 };
    const { sites } = await subjectOf(inMemory('three', graph.model([{ name: 'y', value: last, type: 'f32' }])), sizes);
    assert.deepEqual(
      sites.sites.map(({ site, swappable }) => [site, swappable]),
      [
        [0, true],
        [1, false],
        [2, true],
      ],
    );
    assert.deepEqual(
      [...sites.swappable].map(([number, { site }]) => [number, site.site]),
      [
        [0, 0],
        [2, 2],
      ],
    );
    assert.match(sites.sites[1]!.reason!, /^its queries, keys and values cannot be read: .*Split/);
  });
});
