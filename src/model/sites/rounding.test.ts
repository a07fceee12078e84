import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { ModelRequest } from '../../contract/adapter.ts';
import { buildRounded } from '../../../tests/models/rounded-attention.ts';
import * as bert from '../../../tests/models/torchscript-bert.ts';
import { inMemory, runner, subjectOf } from '../../../tests/subjects.ts';
import type { Subject } from '../../../tests/subjects.ts';
import { checkedSwap, refuseWrong } from '../../operations/checked-swap.ts';
import { parseReplacements } from '../../migration/parse-replacements.ts';
import { captureFault, openForCapture } from '../swap/capture.ts';
import { compareSites } from '../swap/compare-sites.ts';
import { proveUnchanged } from '../swap/prove.ts';
import { usingModel } from '../file/open-proto.ts';
import type { SwappableSite } from './site.ts';

describe('attention whose logits and weights a model rounds', () => {
  const file = inMemory('rounded', buildRounded());
  let subject: Subject;
  before(async () => {
    subject = await subjectOf(file);
  });
  const replacements = (sites: readonly number[]) => parseReplacements(['dense.fused'], sites, runner.adapter);

  test('is found with its mask and scale, and the steps are told', () => {
    assert.deepEqual(
      subject.sites.sites.map(({ mask, causal, swappable, reason, rounds }) => [mask, causal, swappable, reason, rounds]),
      [0, 1].map(() => ['padding', false, true, undefined, { logits: Math.fround(0.1), weights: Math.fround(1 / 255) }]),
    );
  });

  test('gives what softmax(scale·q·kᵀ)·v gives, rounded by its quantizers', async () => {
    const { sites } = subject;
    await usingModel(openForCapture(sites, [...sites.swappable.values()], file, runner), async (model) => {
      for (const length of [1, 7, 65])
        for (const call of (await model.capture(bert.feeds({ batch: 3, length, padded: true }))).values()) {
          const { rounding, ...plain } = call;
          assert.ok(rounding !== undefined);
          assert.equal(captureFault(call), undefined);
          if (length > 1) assert.match(captureFault(plain) ?? 'none', /differs from its output/);
        }
    });
  });

  test('is swapped, which leaves the rounding out, says by how much, and is not called exact', async () => {
    const { changes, atSites } = await checkedSwap({ file, runner, sites: subject.sites }, replacements([0, 1]), {
      seed: 1,
      dimensions: {},
    });
    assert.deepEqual(
      changes.map(({ exact }) => exact),
      [false, false],
    );
    for (const { relative, unrounded = 0 } of atSites) assert.ok(relative < 1e-5 && unrounded > 2e-3 && unrounded < 0.1, `${unrounded}`);
  });

  test('keeps its quantizers where it is not swapped', async () => {
    const { swapped } = await checkedSwap({ file, runner, sites: subject.sites }, replacements([0]), { seed: 1, dimensions: {} });
    proveUnchanged(subject.sites.proto, swapped);
    const left = (node: ReadonlyArray<{ opType: string }>) => node.filter(({ opType }) => opType === 'QuantizeLinear').length;
    // Those of products, logits and weights of one of the two sites are gone.
    assert.equal(left(subject.sites.proto.graph!.node) - left(swapped.graph!.node), 3);
  });

  test('is not swapped where its quantizers are not what they are taken for', async () => {
    const { sites } = subject;
    const swappable = new Map(
      [...sites.swappable].map(([number, { site, plan }]): [number, SwappableSite] => {
        const rounding = { ...plan.rounding!, weights: plan.rounding!.weights.map((each) => ({ ...each, step: each.step * 2 })) };
        return [number, { site, plan: { ...plan, rounding } }];
      }),
    );
    const wrong = { ...sites, swappable };
    const { swapped } = await checkedSwap({ file, runner, sites }, replacements([0]), { seed: 1, dimensions: {} });
    const atSites = await compareSites(file, { sites: wrong, swapped, replacements: replacements([0]), seed: 1 }, runner);
    assert.throws(() => refuseWrong('rounded', atSites), /its quantizers do not explain what the original gives/);
  });

  test('is not swapped where no run shows what its quantizers, or its new attention, do', async () => {
    const { sites } = subject;
    const { swapped } = await checkedSwap({ file, runner, sites }, replacements([0]), { seed: 1, dimensions: {} });
    const comparedUpTo = (running: number) => {
      let opened = 0;
      const openModel = async (request: ModelRequest) => {
        const model = await runner.adapter.openModel!(request);
        return opened++ < running || 'unsupported' in model ? model : { ...model, bind: () => assert.fail('out of memory') };
      };
      const failing = { ...runner, adapter: { ...runner.adapter, openModel } };
      return compareSites(file, { sites, swapped, replacements: replacements([0]), seed: 1 }, failing);
    };
    const [whole, newAlone, none] = [await comparedUpTo(2), await comparedUpTo(1), await comparedUpTo(0)];
    assert.deepEqual(
      [whole, newAlone, none].map(([at]) => at?.reason),
      [undefined, 'no run shows what its quantizers do', 'no run shows its output'],
    );
  });
});
