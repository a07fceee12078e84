import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GraphWriter } from '../../../tests/models/graph-writer.ts';
import { torchScript } from '../../../tests/models/exporters.ts';
import { linear } from '../../../tests/models/layers.ts';
import { affine } from '../../../tests/models/weights.ts';
import { additiveMask, sizeOf, splitHeads, mergeHeads } from '../../../tests/models/torch-shapes.ts';
import { size } from '../../../tests/models/architecture.ts';
import { inMemory, runner, subjectOf } from '../../../tests/subjects.ts';
import { parseReplacements } from '../../migration/parse-replacements.ts';
import { compareOutputs } from './compare-outputs.ts';
import { swapSites } from './swap.ts';

/** Causal attention under a padding mask; one vector for each sequence, as embedders give: the last position's, or the mean of all. */
function pooled(how: 'last' | 'mean'): Uint8Array {
  const { heads, headDim, hidden } = size;
  const g = new GraphWriter(torchScript(14));
  const x = g.input('x', 'f32', ['batch', 'sequence', hidden]);
  const padding = additiveMask(g, g.input('attention_mask', 'i64', ['batch', 'sequence']));
  const part = (name: string) => splitHeads(g, linear(g, x, affine(0, name, hidden, heads * headDim)), heads);
  const [query, key, value] = [part('query'), part('key'), part('value')];
  const places = g.op('Range', [g.int(0), sizeOf(g, x, 1), g.int(1)]);
  const later = g.op('Less', [g.unsqueeze(places, [1]), places]);
  const causal = g.op('Where', [later, g.float(-Infinity), g.float(0)]);
  const logits = g.op('Mul', [g.op('MatMul', [query, g.op('Transpose', [key], { perm: [0, 1, 3, 2] })]), g.float(headDim ** -0.5)]);
  const weights = g.op('Softmax', [g.op('Add', [g.op('Add', [logits, causal]), padding])], { axis: -1 });
  const states = mergeHeads(g, g.op('MatMul', [weights, value]));
  const vector =
    how === 'last' ? g.op('Gather', [states, g.int(-1)], { axis: 1 }) : g.op('ReduceMean', [states], { axes: [1], keepdims: 0 });
  g.output('y', vector, 'f32', ['batch', hidden]);
  return g.bytes();
}

for (const how of ['last', 'mean'] as const)
  test(`runs in which queries see no key say nothing of a pooled output, and the others do: ${how}`, async () => {
    const { file, sites } = await subjectOf(inMemory(how, pooled(how)));
    const compare = async (scaleFactor: number) => {
      const dense = parseReplacements(['dense.tiled'], [...sites.swappable.keys()], runner.adapter);
      const replacements = new Map([...dense].map(([site, each]) => [site, { ...each, scaleFactor }]));
      const swapped = swapSites(sites, { adapter: runner.adapter, replacements, seed: 1 });
      return compareOutputs(file, { sites, swapped, replaced: [...sites.swappable.values()] }, runner);
    };
    const same = await compare(1);
    const compared = same.runs.filter(({ relative }) => relative !== null);
    assert.deepEqual([...new Set(compared.map(({ style }) => style))].includes('right'), true);
    assert.ok(same.runs.some(({ relative, blindQueries }) => relative === null && blindQueries > 0));
    assert.ok(same.largest <= 1e-5, `${same.largest}`);
    assert.ok((await compare(1.01)).largest > 1e-5);
  });
