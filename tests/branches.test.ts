import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { clone } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';
import type { GraphProto } from 'onnx-buf';
import { parseReplacements } from '../src/migration/parse-replacements.ts';
import { bodiesOf, bodyGraph } from '../src/model/graph/bodies.ts';
import { compareOutputs } from '../src/model/swap/compare-outputs.ts';
import { proveUnchanged } from '../src/model/swap/prove.ts';
import { swapSites } from '../src/model/swap/swap.ts';
import { swap } from '../src/operations/swap.ts';
import { inBranches } from './models/bodies.ts';
import { inMemory, runner, subjectOf } from './subjects.ts';

async function swappedBranches(numbers: readonly number[]) {
  const { file, sites } = await subjectOf(inMemory('branches', inBranches()));
  const replacements = parseReplacements(['dense.fused'], numbers, runner.adapter);
  const swapped = clone(ModelProtoSchema, swapSites(sites, { adapter: runner.adapter, replacements, seed: 1 }));
  return { file, sites, swapped, replaced: numbers.map((number) => sites.swappable.get(number)!) };
}

test('attention in both branches of an If is swapped, proven and compared with each branch taken', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'attnswap-branches-'));
  const model = join(folder, 'model.onnx');
  writeFileSync(model, inBranches());
  const record = await swap({ model, out: join(folder, 'swapped.onnx'), variants: ['dense.fused'] });
  assert.deepEqual(
    record.changes.map(({ body }) => body),
    ['then_branch of If choose', 'else_branch of If choose'],
  );
  assert.equal(record.proof.nodesRemoved.filter((name) => name === 'branch/Softmax').length, 2);
  assert.ok(record.comparison.largest < 1e-5);
  assert.deepEqual(
    record.atSites.map(({ site, reason }) => [site, reason]),
    [
      [0, undefined],
      [1, undefined],
    ],
  );
});

test('a wrong swap in the second branch is seen, as the model itself runs with that branch taken', async () => {
  const { file, sites, swapped, replaced } = await swappedBranches([0, 1]);
  const [first, second] = bodiesOf(swapped.graph!).map((body) => bodyGraph(swapped.graph!, body));
  // Each branch gives what the other should: a scale of 1 where it is 0.5.
  const [then, other] = [partsOf(first!), partsOf(second!)];
  Object.assign(first!, { node: other.node, output: other.output });
  Object.assign(second!, { node: then.node, output: then.output });
  const { largest } = await compareOutputs(file, { sites, swapped, replaced: replaced.slice(1) }, runner);
  assert.ok(largest > 1e-3, `${largest}`);
});

const partsOf = ({ node, output }: GraphProto) => ({ node, output });

describe('the proof of a swap in one branch fails where', () => {
  const faults: Readonly<Record<string, { change: (then: GraphProto, other: GraphProto) => void; says: RegExp }>> = {
    'a node of the other branch differs': {
      change: (_then, other) => void (other.node.find(({ opType }) => opType === 'Mul')!.opType = 'Div'),
      says: /node .*Mul.* is not the original's/,
    },
    'a node of the other branch is gone': {
      change: (_then, other) => void other.node.splice(0, 1),
      says: /is missing/,
    },
    'the branch gives another output': { change: (then) => void (then.output[0]!.name = 'x'), says: /output .*is not the original's/ },
    'nodes of the other branch are in another order': {
      change: (_then, other) => void other.node.reverse(),
      says: /has moved/,
    },
  };
  for (const [name, { change, says }] of Object.entries(faults)) {
    test(name, async () => {
      const { sites, swapped } = await swappedBranches([0]);
      proveUnchanged(sites.proto, swapped);
      const [then, other] = bodiesOf(swapped.graph!).map((body) => bodyGraph(swapped.graph!, body));
      change(then!, other!);
      assert.throws(() => proveUnchanged(sites.proto, swapped), { code: 'INVALID_MODEL', message: says });
    });
  }
});
