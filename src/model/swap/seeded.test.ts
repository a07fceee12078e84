import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inMemory, runner, subjectOf } from '../../../tests/subjects.ts';
import { parseReplacements } from '../../migration/parse-replacements.ts';
import { GraphBuilder } from '../graph/graph-builder.ts';
import { compareOutputs } from './compare-outputs.ts';
import { withSeeds } from './seeded.ts';
import { swapSites } from './swap.ts';

/** Attention, and noise beside it, as speech synthesis has. */
function noisy(): Uint8Array {
  const g = new GraphBuilder({ opset: 17 });
  const x = g.input('x', 'f32', ['batch', 1, 'sequence', 8]);
  const logits = g.op('MatMul', [x, g.op('Transpose', [x], { perm: [0, 1, 3, 2] })]);
  const attended = g.op('MatMul', [g.op('Softmax', [logits], { axis: -1 }), x]);
  return g.model([{ name: 'y', value: g.op('Add', [attended, g.op('RandomNormalLike', [attended])]), type: 'f32' }]);
}

test('two models draw the same random numbers while they are compared, and differ by nothing but what was swapped', async () => {
  const { file, sites } = await subjectOf(inMemory('noisy', noisy()));
  const differenceOf = async (text: string) => {
    const replacements = parseReplacements([text], [0], runner.adapter);
    const swapped = swapSites(sites, { adapter: runner.adapter, replacements, seed: 1 });
    return (await compareOutputs(file, { sites, swapped, replaced: [...sites.swappable.values()] }, runner)).largest;
  };
  assert.ok((await differenceOf('dense.fused')) < 1e-6);
  assert.ok((await differenceOf('window.tiled:w=2')) > 1e-2);
});

test('a model that draws nothing stays itself, and a seed of its own stays', () => {
  const { proto } = inMemory('noisy', noisy());
  const seeds = ({ graph }: typeof proto) =>
    graph!.node.flatMap(({ attribute }) => attribute.filter(({ name }) => name === 'seed').map(({ f }) => f));
  const seeded = withSeeds(proto);
  assert.deepEqual([seeds(proto).length, seeds(seeded).length], [0, 1]);
  assert.deepEqual(seeds(withSeeds(seeded)), seeds(seeded));
  proto.graph!.node = proto.graph!.node.filter(({ opType }) => opType !== 'RandomNormalLike');
  assert.equal(withSeeds(proto), proto);
});
