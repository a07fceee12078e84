import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adapter } from '../../../adapters/onnx/adapter.ts';
import { inMemory } from '../../../tests/subjects.ts';
import type { Adapter } from '../../contract/adapter.ts';
import { parseModel } from '../file/onnx-file.ts';
import { GraphBuilder } from '../graph/graph-builder.ts';
import { findSites } from './find-sites.ts';

const [heads, headDim, tokens] = [4, 8, 1100];
const width = heads * headDim;

/** Two layers of attention over as many tokens as the graph says, `x` → `y`. */
function longEncoder(axis: -1 | -2): Uint8Array {
  const graph = new GraphBuilder({ opset: 17 });
  let states = graph.input('x', 'f32', ['batch', tokens, width]);
  for (const layer of [0, 1]) {
    const project = (name: string) => {
      const weights = Float32Array.from({ length: width * width }, (_, at) => Math.sin(at * (layer + name.length + 2)) / 4);
      const projected = graph.op('MatMul', [states, graph.initializer(`${name}${layer}`, weights, [width, width])]);
      return graph.op('Transpose', [graph.op('Reshape', [projected, graph.int([0, 0, heads, headDim])])], { perm: [0, 2, 1, 3] });
    };
    const [query = '', key = '', value = ''] = ['q', 'key', 'value'].map(project);
    const product = graph.op('MatMul', [query, graph.op('Transpose', [key], { perm: [0, 1, 3, 2] })]);
    const weights = graph.op('Softmax', [graph.op('Mul', [product, graph.float(headDim ** -0.5)])], { axis });
    const joined = graph.op('Transpose', [graph.op('MatMul', [weights, value])], { perm: [0, 2, 1, 3] });
    states = graph.op('Add', [states, graph.op('Reshape', [joined, graph.int([0, 0, width])])]);
  }
  return graph.model([{ name: 'y', value: states, type: 'f32' }]);
}

/** What is found, and the softmaxes of the model's own that ran for it. */
async function searched(bytes: Uint8Array) {
  const own = new Set(
    parseModel(Uint8Array.from(bytes), 'long').graph!.node.flatMap(({ opType, output }) => (opType === 'Softmax' ? output : [])),
  );
  const ran = new Set<string>();
  const seeing: Adapter = {
    ...adapter,
    openModel: async (request) => {
      const opened = await adapter.openModel!(request);
      if ('unsupported' in opened) return opened;
      const { graph } = parseModel(Uint8Array.from(request.model as Uint8Array), 'opened');
      const bind: typeof opened.bind = (feeds) => {
        for (const name of graph!.node.flatMap(({ output }) => output)) if (own.has(name)) ran.add(name);
        return opened.bind(feeds);
      };
      return { ...opened, bind };
    },
  };
  const { sites } = await findSites(inMemory('long', bytes), { adapter: seeing, backend: 'onnx-cpu' });
  return { sites, ran: [...ran] };
}

test('of attention over many tokens that the model fixes, only some rows are computed, and judged', async () => {
  const { sites, ran } = await searched(longEncoder(-1));
  assert.deepEqual(
    sites.map(({ swappable, mask, scale, heads: count }) => [swappable, mask, scale, count]),
    [0, 1].map(() => [true, 'none', 1 / Math.sqrt(headDim), heads]),
  );
  assert.deepEqual(ran, []);
});

test('what is not attention in these rows is refused', async () => {
  const { sites } = await searched(longEncoder(-2));
  for (const { reason } of sites) assert.match(reason!, /its output is not softmax/);
});
