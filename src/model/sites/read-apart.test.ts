import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { GraphProto, NodeProto } from 'onnx-buf';
import { inMemory, runner } from '../../../tests/subjects.ts';
import type { ModelRequest } from '../../contract/adapter.ts';
import { AttnswapError } from '../../contract/errors.ts';
import type { ErrorCode } from '../../contract/errors.ts';
import { parseModel } from '../file/onnx-file.ts';
import { GraphBuilder } from '../graph/graph-builder.ts';
import { failing } from './failing.ts';
import { findSites } from './find-sites.ts';

const [heads, width] = [2, 16];

/** Four layers of attention, each with a padding mask of its own; operators that shift queries, keys and values themselves. */
function layers(): Uint8Array {
  const graph = new GraphBuilder({ opset: 21 });
  const weights = (name: string, count: number) => Float32Array.from({ length: count }, (_, at) => Math.sin(at * name.length) / 4);
  let x = graph.input('x', 'f32', ['batch', 'sequence', width]);
  for (const layer of [0, 1, 2, 3]) {
    const parts = ['q', 'k', 'v'].map((part) => {
      const name = `${part}.${layer}`;
      return graph.op('MatMul', [x, graph.initializer(name, weights(name, width * width), [width, width])]);
    });
    const shift = graph.initializer(`shift.${layer}`, weights('shift', 3 * width), [3 * width]);
    const mask = graph.input(`mask.${layer}`, 'i32', ['batch', 'sequence']);
    x = graph.op('MultiHeadAttention', [...parts, shift, mask], { num_heads: heads });
  }
  return graph.model([{ name: 'y', value: x, type: 'f32' }]);
}

/** A runtime that refuses models with some graphs. */
function refusing(refuses: (graph: GraphProto) => boolean, code: ErrorCode = 'INVALID_MODEL') {
  const openModel = async (request: ModelRequest) => {
    if (typeof request.model !== 'string' && refuses(parseModel(Uint8Array.from(request.model), 'model').graph!))
      throw new AttnswapError(code, 'there is no kernel\nfor this');
    return runner.adapter.openModel!(request);
  };
  return { ...runner, adapter: { ...runner.adapter, openModel } };
}

const begins = (prefix: string) => (node: NodeProto) => node.output.some((name) => name.startsWith(prefix));
const reads = (tensor: string) => (node: NodeProto) => node.input.includes(tensor);

describe('what a runtime refuses beside one attention', () => {
  const inLongRuns = ({ node }: GraphProto) => node.some(begins('attnswap/skeleton'));
  const stages: Readonly<Record<string, { bad: number; refuses: (graph: GraphProto) => boolean; mask: string | null; told?: string }>> = {
    'refuses it alone where it is computed to read it': {
      bad: 2,
      refuses: ({ node }) => node.filter(begins('attnswap/probe')).some(reads('shift.2')),
      mask: null,
      told: 'its queries, keys and values cannot be read: there is no kernel for this',
    },
    'refuses it alone where longer runs need it': {
      bad: 3,
      refuses: (graph) => inLongRuns(graph) && graph.node.some(reads('shift.3')),
      mask: 'other',
      told: 'its mask cannot be read at longer lengths: there is no kernel for this',
    },
    'leaves its mask as it is where longer runs read that': {
      bad: 2,
      refuses: (graph) => inLongRuns(graph) && graph.node.some(reads('mask.2')),
      mask: 'bias',
    },
  };
  for (const [name, { bad, refuses, mask, told }] of Object.entries(stages))
    test(name, async () => {
      const { sites, swappable } = await findSites(inMemory('layers', layers()), refusing(refuses));
      assert.deepEqual(
        sites.map((each) => [each.site, each.mask, each.reason]),
        [0, 1, 2, 3].map((site) => (site === bad ? [site, mask, told] : [site, 'padding', undefined])),
      );
      assert.deepEqual([...swappable.keys()], told === undefined ? [0, 1, 2, 3] : [0, 1, 2, 3].toSpliced(bad, 1));
    });

  test('but a runtime that refuses the model, or is missing, ends the search', async () => {
    const file = inMemory('layers', layers());
    await assert.rejects(
      findSites(
        file,
        refusing(() => true),
      ),
      { code: 'INVALID_MODEL' },
    );
    await assert.rejects(
      findSites(
        file,
        refusing(({ node }) => node.some(begins('attnswap/probe')), 'UNSUPPORTED'),
      ),
      { code: 'UNSUPPORTED' },
    );
  });
});

test('items that make work fail are found in few tries', async () => {
  let tries = 0;
  const faultOf = (bad: readonly number[]) => async (items: readonly number[]) => {
    tries++;
    const first = items.find((item) => bad.includes(item));
    if (first !== undefined) throw new Error(`${first} is bad`);
  };
  const items = Array.from({ length: 64 }, (_, at) => at);
  for (const [bad, most] of [
    [[], 1],
    [[37], 13],
    [[0, 63], 25],
    [items, 127],
  ] as const) {
    tries = 0;
    const found = await failing(items, faultOf(bad));
    assert.deepEqual(
      [...found].map(([item, { message }]) => [item, message]),
      bad.map((item) => [item, `${item} is bad`]),
    );
    assert.ok(tries <= most, `${tries}`);
  }
  assert.deepEqual(await failing([], faultOf([])), new Map());
});
