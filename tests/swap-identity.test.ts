import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { GraphProto, NodeProto } from 'onnx-buf';
import type { OpenModel } from '../src/contract/adapter.ts';
import type { Tensors } from '../src/contract/tensor.ts';
import { parseReplacements } from '../src/migration/parse-replacements.ts';
import { compareSites } from '../src/model/swap/compare-sites.ts';
import { numbersOf } from '../src/model/sites/mask-sources.ts';
import { openProto } from '../src/model/file/open-proto.ts';
import { withOutputs } from '../src/model/graph/with-outputs.ts';
import { proveUnchanged } from '../src/model/swap/prove.ts';
import { swapSites } from '../src/model/swap/swap.ts';
import type { Replacement } from '../src/model/swap/swap.ts';
import { edgeModels } from './models/edge-cases.ts';
import { models } from './models/index.ts';
import type { TestModel } from './models/index.ts';
import type { FeedRequest } from './models/sequences.ts';
import * as gpt2 from './models/torchscript-gpt2.ts';
import { encoder, inMemory, realSubject, recogniser, runner, subjectOf } from './subjects.ts';
import type { Subject } from './subjects.ts';

const exactKernels = ['dense.naive', 'dense.fused', 'dense.tiled'] as const;

interface Feeding {
  readonly feeds: (at: FeedRequest) => Tensors;
  readonly cases: readonly FeedRequest[];
}

function casesOf(
  lengths: readonly number[],
  batches: readonly number[] = [1, 3],
  paddings: readonly boolean[] = [false, true],
): FeedRequest[] {
  return lengths.flatMap((length) =>
    batches.flatMap((batch) => paddings.map((padded) => ({ batch, length, padded, seed: length + batch }))),
  );
}

function swapped({ sites }: Subject, replacements: ReadonlyMap<number, Replacement>) {
  return swapSites(sites, { adapter: runner.adapter, replacements, seed: 1 });
}

function everySite({ sites }: Subject, variant: string): Map<number, Replacement> {
  return parseReplacements([variant], [...sites.swappable.keys()], runner.adapter);
}

/** The largest ‖swapped − original‖ / ‖original‖ of an output over all cases; every output must be finite and of its size. */
async function largestDifference(
  subject: Subject,
  replacements: ReadonlyMap<number, Replacement>,
  { feeds, cases }: Feeding,
  purpose: 'latency' | 'reading' = 'latency',
): Promise<number> {
  const { file, sites } = subject;
  const original = await openProto(sites.proto, file, runner, purpose);
  const changed = await openProto(swapped(subject, replacements), file, runner, purpose);
  assert.deepEqual([changed.inputs, changed.outputs], [original.inputs, original.outputs]);
  let largest = 0;
  for (const at of cases) {
    const given = feeds(at);
    const [expected, actual] = [original.bind(given), changed.bind(given)];
    await expected.run();
    await actual.run();
    for (const [name, tensor] of Object.entries(expected.outputs())) {
      assert.deepEqual(actual.outputs()[name]!.dims, tensor.dims);
      largest = Math.max(largest, relativeError(numbersOf(actual.outputs()[name]!), numbersOf(tensor), `${name} at ${JSON.stringify(at)}`));
    }
  }
  await Promise.all([original.dispose(), changed.dispose()]);
  return largest;
}

function relativeError(actual: Float32Array, expected: Float32Array, place: string): number {
  let difference = 0;
  let whole = 0;
  expected.forEach((value, at) => {
    difference += (actual[at]! - value) ** 2;
    whole += value ** 2;
  });
  const relative = Math.sqrt(difference / whole);
  assert.ok(Number.isFinite(relative), `${place}: the error is ${relative}`);
  return relative;
}

const quantised = new Set(['qdq', 'dynamic-int8']);
const lengths = [7, 33, 130];
const small = Object.entries<TestModel>(models).filter(([, { expected }]) => expected.sites.some(({ swappable }) => swappable));

describe('dense attention for dense attention gives the same outputs', () => {
  for (const [name, model] of small.filter(([name]) => !quantised.has(name))) {
    test(name, async () => {
      const subject = await subjectOf(inMemory(name, model.build()));
      const bound = name === 'f16' ? 1e-2 : 1e-5;
      for (const kernel of exactKernels) {
        const replacements = everySite(subject, kernel);
        const fed: Feeding = { feeds: model.feeds, cases: casesOf(lengths) };
        const difference = await largestDifference(subject, replacements, fed);
        assert.ok(difference <= bound, `${kernel}: ${difference}`);
        // As the runtime fuses graphs, several kernels come to the same operations; as they are written they differ.
        const asWritten = await largestDifference(subject, replacements, { ...fed, cases: casesOf([33], [3]) }, 'reading');
        assert.ok(asWritten <= bound, `${kernel}, as written: ${asWritten}`);
      }
    });
  }

  for (const [name, { build, feeds, sites, declinedBy = [], only = {} }] of Object.entries(edgeModels).filter(([, edge]) =>
    edge.sites.some((site) => site.swappable),
  )) {
    test(name, async () => {
      const subject = await subjectOf(inMemory(name, build()));
      assert.equal(subject.sites.swappable.size, sites.filter(({ swappable }) => swappable).length);
      const cases = casesOf(only.length === undefined ? lengths : [only.length], only.batch === undefined ? [1, 3] : [only.batch]);
      for (const kernel of exactKernels.filter((each) => !declinedBy.includes(each))) {
        const difference = await largestDifference(subject, everySite(subject, kernel), { feeds, cases });
        assert.ok(difference <= 1e-5, `${kernel}: ${difference}`);
      }
    });
  }

  test('with past keys of any length, and none', async () => {
    const subject = await subjectOf(inMemory('gpt2', gpt2.build()));
    for (const kernel of exactKernels) {
      for (const past of [0, 1, 40]) {
        const fed: Feeding = { feeds: (at) => gpt2.feeds({ ...at, past }), cases: casesOf([1, 7, 33]) };
        const difference = await largestDifference(subject, everySite(subject, kernel), fed);
        assert.ok(difference <= 1e-5, `${kernel}, past ${past}: ${difference}`);
      }
    }
  });

  test('PP-OCRv4’s recogniser', async () => {
    const subject = await realSubject(recogniser);
    for (const kernel of exactKernels) {
      const fed: Feeding = { feeds: recogniser.feeds, cases: casesOf([320, 512, 1040], [1, 3], [false]) };
      const difference = await largestDifference(subject, everySite(subject, kernel), fed);
      assert.ok(difference <= 1e-5, `${kernel}: ${difference}`);
    }
  });

  test('paraphrase-MiniLM-L3', { skip: encoder.missing }, async () => {
    const subject = await realSubject(encoder);
    for (const kernel of exactKernels) {
      const difference = await largestDifference(subject, everySite(subject, kernel), { feeds: encoder.feeds, cases: casesOf(lengths) });
      assert.ok(difference <= 1e-5, `${kernel}: ${difference}`);
    }
  });

  test('a scale that is wrong by a ten-thousandth does not pass', async () => {
    const model = models['torchscript-bert'];
    const subject = await subjectOf(inMemory('bert', model.build()));
    const wrong = new Map([...everySite(subject, 'dense.naive')].map(([site, each]) => [site, { ...each, scaleFactor: 1.0001 }]));
    const difference = await largestDifference(subject, wrong, { feeds: model.feeds, cases: casesOf([33]) });
    assert.ok(difference > 1e-5, `${difference}`);
  });
});

test('swapping one site of several leaves the others as they were', async () => {
  for (const [name, model] of small.filter(([, { expected }]) => expected.sites.length > 1)) {
    const subject = await subjectOf(inMemory(name, model.build()));
    const { sites } = subject;
    for (const [site, { plan }] of sites.swappable) {
      const kernel = plan.bias === undefined ? 'window.tiled:w=2' : 'dense.tiled';
      const proto = swapped(subject, parseReplacements([kernel], [site], runner.adapter));
      const proof = proveUnchanged(sites.proto, proto);
      const kept = new Set(proto.graph!.node.map(({ name: node }) => node));
      for (const other of sites.sites) {
        assert.equal(kept.has(other.node), other.site !== site, `${name}: ${other.node} with site ${site} swapped`);
        assert.equal(proof.nodesRemoved.includes(other.node), other.site === site);
      }
    }
  }
});

describe('a quantised model', () => {
  for (const name of quantised) {
    // An error of rounding before a quantiser becomes a step where a value lies at its edge: no bound on the outputs follows. The new
    // attention itself must be right, and the outputs stay as near as the model is to its own float design (0.15).
    test(`${name}: each new attention is right on what the site reads`, async () => {
      const model = models[name as keyof typeof models];
      const subject = await subjectOf(inMemory(name, model.build()));
      for (const kernel of exactKernels) {
        const replacements = everySite(subject, kernel);
        const proto = swapped(subject, replacements);
        const compared = await compareSites(subject.file, { sites: subject.sites, swapped: proto, replacements, seed: 1 }, runner);
        assert.deepEqual(
          compared.map(({ site, reason }) => [site, reason]),
          [
            [0, undefined],
            [1, undefined],
          ],
        );
        assert.ok(compared.every(({ relative }) => relative < 1e-6));
        const difference = await largestDifference(subject, replacements, { feeds: model.feeds, cases: casesOf(lengths) });
        assert.ok(difference < 0.15, `${kernel}: ${difference}`);
      }
    });
  }

  // In the exact model a value is written down to the step below or above; only a value next to the edge between two may change its step.
  test('qdq: behind the first site, steps change only at their edges, and by one', async () => {
    const model = models.qdq;
    const subject = await subjectOf(inMemory('qdq', model.build()));
    const { sites, file } = subject;
    const quantiser = quantiserAfter(sites.proto.graph!, sites.swappable.get(0)!.plan.output.tensor);
    const [input = '', scale = ''] = quantiser.input;
    const shown = [input, scale, quantiser.output[0]!];
    const changesOf = async (scaleFactor: number): Promise<number[]> => {
      const replacements = new Map([...everySite(subject, 'dense.tiled')].map(([site, each]) => [site, { ...each, scaleFactor }]));
      const [old, fresh] = await Promise.all(
        [sites.proto, swapped(subject, replacements)].map((proto) => openProto(withOutputs(proto, shown), file, runner, 'reading')),
      );
      const distances: number[] = [];
      for (const at of casesOf(lengths)) {
        const [before, after] = [await call(old!, model.feeds(at)), await call(fresh!, model.feeds(at))];
        const [values, steps, changed] = [before[input]!, before[shown[2]!]!, after[shown[2]!]!].map(numbersOf);
        const step = numbersOf(before[scale]!)[0]!;
        steps!.forEach((whole, place) => {
          if (whole === changed![place]) return;
          assert.equal(Math.abs(whole - changed![place]!), 1);
          distances.push(Math.abs((values![place]! / step) % 1) - 0.5);
        });
      }
      await Promise.all([old!.dispose(), fresh!.dispose()]);
      return distances.map(Math.abs);
    };
    for (const distance of await changesOf(1)) assert.ok(distance < 1e-4, `${distance} of a step from the edge`);
    // The same attention a thousandth too hot does move values over edges: what is counted above can happen.
    assert.ok((await changesOf(1.001)).length > 0);
  });
});

/** The node that quantises a tensor, past what only moves its values. */
function quantiserAfter(graph: GraphProto, tensor: string): NodeProto {
  const movers = ['QuantizeLinear', 'Transpose', 'Reshape'];
  const reader = graph.node.find(({ opType, input }) => input[0] === tensor && movers.includes(opType));
  assert.ok(reader !== undefined, tensor);
  return reader.opType === 'QuantizeLinear' ? reader : quantiserAfter(graph, reader.output[0]!);
}

async function call(model: OpenModel, feeds: Tensors): Promise<Tensors> {
  const bound = model.bind(feeds);
  await bound.run();
  return bound.outputs();
}
