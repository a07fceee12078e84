import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { Adapter } from '../src/contract/adapter.ts';
import { parseReplacements } from '../src/migration/parse-replacements.ts';
import type { AppendBias } from '../src/model/sites/append-bias.ts';
import { captureFault, openForCapture } from '../src/model/swap/capture.ts';
import { compareOutputs } from '../src/model/swap/compare-outputs.ts';
import { compareSites } from '../src/model/swap/compare-sites.ts';
import { swapSites } from '../src/model/swap/swap.ts';
import { checkedSwap } from '../src/operations/checked-swap.ts';
import { size } from './models/architecture.ts';
import type { GraphWriter, Value } from './models/graph-writer.ts';
import { drawStates } from './models/sequences.ts';
import { sizeOf } from './models/torch-shapes.ts';
import { buildUnseen } from './models/unseen-causes.ts';
import type { UnseenCause } from './models/unseen-causes.ts';
import { inMemory, runner, subjectOf } from './subjects.ts';
import type { Subject } from './subjects.ts';

type Logits = NonNullable<UnseenCause['logits']>;

const { heads } = size;
const list = (g: GraphWriter, ...sizes: ReadonlyArray<Value | number>): Value =>
  g.op(
    'Concat',
    sizes.map((each) => (typeof each === 'number' ? g.int([each]) : g.unsqueeze(each, [0]))),
    { axis: 0 },
  );
const places = (g: GraphWriter, count: Value): Value => g.op('Range', [g.int(0), count, g.int(1)]);
/** j − i of every pair, `[n, n]`, int64. */
const ahead = (g: GraphWriter, count: Value): Value =>
  g.op('Sub', [g.unsqueeze(places(g, count), [0]), g.unsqueeze(places(g, count), [1])]);
const slopes = (g: GraphWriter): Value =>
  g.weight(
    'slopes',
    [heads, 1, 1],
    Float32Array.from({ length: heads }, (_, head) => 2 ** -head),
  );
/** The first state of a batch element, and what is between two tokens: no two biases are alike. */
const ofAll: Logits = (g, logits, x) => {
  const first = g.op('Slice', [x, g.int([0]), g.int([1]), g.int([2])]);
  const states = g.unsqueeze(g.op('Sub', [g.op('Transpose', [first], { perm: [0, 2, 1] }), g.op('Mul', [first, g.float(2)])]), [1]);
  return g.op('Add', [logits, g.op('Mul', [states, slopes(g)])]);
};
const window = (g: GraphWriter, count: Value, reach: number): Value =>
  g.op('And', [g.op('LessOrEqual', [ahead(g, count), g.int(0)]), g.op('Greater', [ahead(g, count), g.int(-reach)])]);

/** What models add to their logits, and where. */
const forms: Readonly<Record<string, Logits>> = {
  'a bias of every batch element and head': ofAll,
  'slopes by the sizes of the logits themselves': (g, logits) => {
    const count = g.op('Gather', [g.op('Shape', [logits]), g.int(-1)], { axis: 0 });
    return g.op('Add', [logits, g.op('Mul', [g.cast(ahead(g, count), 'f32'), slopes(g)])]);
  },
  'a scale behind the bias': (g, logits, x) => {
    const biased = g.op('Sub', [logits, g.op('Mul', [g.cast(ahead(g, sizeOf(g, x, 1)), 'f32'), slopes(g)])]);
    return g.op('Mul', [biased, g.float(0.5)]);
  },
  'heads in the batch, and a bound below': (g, logits, x) => {
    const count = sizeOf(g, x, 1);
    const merged = g.op('Reshape', [logits, list(g, -1, count, count)]);
    const banded = g.op('Add', [merged, g.op('Where', [window(g, count, 3), g.float(0), g.float(-3.4028234663852886e38)])]);
    const split = g.op('Reshape', [g.op('Max', [banded, g.float(-3.4028234663852886e38)]), list(g, -1, heads, count, count)]);
    return g.op('Add', [split, slopes(g)]);
  },
  'windows of five axes, as Swin has them': (g, logits, x) => {
    const count = sizeOf(g, x, 1);
    const biased = g.op('Add', [logits, g.op('Mul', [g.cast(ahead(g, count), 'f32'), slopes(g)])]);
    const five = g.op('Reshape', [biased, list(g, -1, 1, heads, count, count)]);
    const masked = g.op('Add', [five, g.op('Where', [window(g, count, 4), g.float(0), g.float(-100)])]);
    return g.op('Reshape', [masked, list(g, -1, heads, count, count)]);
  },
};

async function differenceOf({ file, sites }: Subject, variant: string): Promise<number> {
  const replacements = parseReplacements([variant], [...sites.swappable.keys()], runner.adapter);
  const swapped = swapSites(sites, { adapter: runner.adapter, replacements, seed: 1 });
  const { largest } = await compareOutputs(file, { sites, swapped, replaced: [...sites.swappable.values()] }, runner);
  const atSites = await compareSites(file, { sites, swapped, replacements, seed: 1 }, runner);
  assert.deepEqual(
    atSites.map(({ reason }) => reason),
    [undefined],
  );
  return largest;
}

/** The subject with another bias at its site. */
function withBias({ file, sites }: Subject, change: (bias: AppendBias) => AppendBias): Subject {
  const { site, plan } = sites.swappable.get(0)!;
  return { file, sites: { ...sites, swappable: new Map([[0, { site, plan: { ...plan, bias: change(plan.bias!) } }]]) } };
}

/** What a bias could be mistaken for. */
const faults: Readonly<Record<string, (bias: AppendBias) => AppendBias>> = {
  dropped: (bias) => (graph, at) => graph.op('Mul', [bias(graph, at), graph.float(0)]),
  'that of the first head for all': (bias) => (graph, at) => graph.op('Gather', [bias(graph, at), graph.int([0])], { axis: 1 }),
  'that of the first batch element for all': (bias) => (graph, at) => graph.op('Gather', [bias(graph, at), graph.int([0])], { axis: 0 }),
  transposed: (bias) => (graph, at) => graph.op('Transpose', [bias(graph, at)], { perm: [0, 1, 3, 2] }),
};

describe('what a model adds to its logits is handed over', () => {
  for (const [name, logits] of Object.entries(forms)) {
    test(name, async () => {
      const subject = await subjectOf(inMemory(name, buildUnseen({ logits })));
      assert.deepEqual(
        subject.sites.sites.map(({ mask, causal, reason }) => [mask, causal, reason]),
        [['bias', null, undefined]],
      );
      for (const variant of ['dense.fused', 'dense.naive', 'dense.tiled']) {
        const difference = await differenceOf(subject, variant);
        assert.ok(difference <= 1e-5, `${variant}: ${difference}`);
      }
    });
  }

  describe('a fault in a bias is refused before anything is written', () => {
    let subject: Subject;
    before(async () => {
      subject = await subjectOf(inMemory('bias', buildUnseen({ logits: ofAll })));
    });
    const swapOf = ({ file, sites }: Subject, adapter = runner.adapter) => {
      const replacements = parseReplacements(['dense.naive'], [0], adapter);
      return checkedSwap({ file, sites, runner: { ...runner, adapter } }, replacements, { seed: 1, dimensions: {} });
    };

    test('without one it is not', async () => {
      assert.ok((await swapOf(subject)).comparison.largest <= 1e-5);
    });

    for (const [fault, change] of Object.entries(faults)) {
      test(fault, () => assert.rejects(swapOf(withBias(subject, change)), /changed the outputs by .*; nothing was written/));
    }

    test('dropped by the kernel', async () => {
      const { adapter } = runner;
      const kernelGraph: Adapter['kernelGraph'] = (request) => adapter.kernelGraph!({ ...request, biased: false });
      await assert.rejects(
        swapOf(subject, { ...adapter, kernelGraph }),
        /the new attention at site 0 fails its check: .*; nothing was written/,
      );
    });
  });

  test('it is captured at awkward lengths, and a fault in it is told', async () => {
    const name = 'heads in the batch, and a bound below';
    const subject = await subjectOf(inMemory(name, buildUnseen({ logits: forms[name]! })));
    const faultsOf = async ({ file, sites }: Subject, lengths: readonly number[]) => {
      const model = await openForCapture(sites, [...sites.swappable.values()], file, runner);
      const found: Array<string | undefined> = [];
      for (const length of lengths) {
        const calls = await model.capture({ x: drawStates({ batch: 2, length, padded: false }) });
        found.push(captureFault(calls.get(0)!));
      }
      await model.dispose();
      return found;
    };
    assert.deepEqual(await faultsOf(subject, [1, 7, 513]), [undefined, undefined, undefined]);
    const offByOne = withBias(subject, (bias) => (graph, at) => {
      const later = graph.op('Slice', [bias(graph, at), graph.int([1]), graph.int([2 ** 40]), graph.int([3])]);
      const edge = graph.op('Slice', [bias(graph, at), graph.int([-1]), graph.int([2 ** 40]), graph.int([3])]);
      return graph.op('Concat', [later, edge], { axis: 3 });
    });
    assert.match((await faultsOf(offByOne, [7]))[0] ?? '', /with its bias/);
  });
});
