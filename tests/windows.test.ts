import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { adapters } from '../adapters/index.ts';
import type { Adapter, KernelGraphRequest } from '../src/contract/adapter.ts';
import { AttnswapError } from '../src/contract/errors.ts';
import type { Span } from '../src/contract/span.ts';
import { parseReplacements } from '../src/migration/parse-replacements.ts';
import { usingModel, openProto } from '../src/model/file/open-proto.ts';
import { compareSites } from '../src/model/swap/compare-sites.ts';
import { proveUnchanged } from '../src/model/swap/prove.ts';
import { swapSites } from '../src/model/swap/swap.ts';
import { swap } from '../src/operations/swap.ts';
import { nearWindows } from './models/near-windows.ts';
import { buildWindowed, differenceOfKept, feedWindowed, within } from './models/windowed.ts';
import type { WindowedModel } from './models/windowed.ts';
import { emptyFolder } from './run-cli.ts';
import { inMemory, runner, subjectOf } from './subjects.ts';
import type { Subject } from './subjects.ts';

const subjectWith = (model: WindowedModel): Promise<Subject> => subjectOf(inMemory('windowed', buildWindowed(model)));

function swapped({ sites }: Subject, variant: string) {
  const replacements = parseReplacements([variant], [0], runner.adapter);
  return { replacements, proto: swapSites(sites, { adapter: runner.adapter, replacements, seed: 1 }) };
}

const sequences = [
  { batch: 3, length: 1, before: 0 },
  { batch: 2, length: 7, before: 0 },
  { batch: 2, length: 513, before: 0 },
  { batch: 1, length: 1000, before: 0 },
];
const pasts = [
  { batch: 1, length: 1, before: 700 },
  { batch: 2, length: 1, before: 3 },
  { batch: 2, length: 33, before: 80 },
];

/** The largest difference between both models, over awkward lengths, on what is not padding. */
async function largestDifference(model: WindowedModel, { file, sites }: Subject, variant: string): Promise<number> {
  const { proto } = swapped({ file, sites }, variant);
  let largest = 0;
  await usingModel(openProto(sites.proto, file, runner), (original) =>
    usingModel(openProto(proto, file, runner), async (changed) => {
      for (const at of [...sequences, ...(model.past === true ? pasts : [])]) {
        const request = { ...at, padded: model.padded === true };
        const feeds = feedWindowed(model, request);
        const [before, now] = [original.bind(feeds), changed.bind(feeds)];
        await before.run();
        await now.run();
        largest = Math.max(largest, differenceOfKept(now.outputs(), before.outputs(), request));
      }
    }),
  );
  return largest;
}

/** Windows by how they show: in short runs, in long ones alone, beyond the rows that long runs read; with both sides alike, or not. */
const windows: ReadonlyArray<readonly [Span, WindowedModel, string]> = [
  [{ left: 3, right: 0 }, {}, 'window:w=4'],
  [{ left: 3, right: 0 }, { padded: true, past: true }, 'window:w=4'],
  [{ left: 63, right: 0 }, { padded: true, past: true }, 'window:w=64'],
  [{ left: 699, right: 0 }, { padded: true }, 'window:w=700'],
  [{ left: 2, right: 2 }, { padded: true }, 'window:w=5'],
  [{ left: 64, right: 64 }, { padded: true }, 'window:w=128'],
  [{ left: 40, right: 40 }, {}, 'window:w=81'],
  [{ left: 5, right: 2 }, { padded: true }, 'window:w=10'],
].map(([span, model, variant]) => {
  const { left, right } = span as Span;
  return [{ left, right }, { ...(model as object), sees: within(left, right) }, variant as string];
});

describe('a window in a model is recognized, and the same window is exact', () => {
  for (const [window, model, variant] of windows) {
    const besides = [model.padded === true ? ' and padding' : '', model.past === true ? ', behind a past' : ''].join('');
    test(`${window.left} keys before and ${window.right} after${besides}`, async () => {
      const subject = await subjectWith(model);
      const [site] = subject.sites.sites;
      assert.deepEqual([site!.mask, site!.window, site!.causal, site!.reason], ['window', window, window.right === 0, undefined]);
      for (const text of [
        variant,
        'window:w=5000',
        ...(window.left < 10 ? ['window:w=5000,globals=2', 'dense.fused', 'dense.tiled'] : []),
      ]) {
        const difference = await largestDifference(model, subject, text);
        assert.ok(difference <= 1e-5, `${text}: ${difference}`);
      }
      const { proto } = swapped(subject, variant);
      proveUnchanged(subject.sites.proto, proto);
      const masking = proto.graph!.node.filter(({ opType }) => ['And', 'Where', 'LessOrEqual'].includes(opType));
      assert.deepEqual(masking, [], 'the model’s own mask is gone');
    });
  }

  test('a narrower window, or one with global keys, sees what both let through', async () => {
    const model = { sees: within(40, 0), padded: true };
    const subject = await subjectWith(model);
    for (const text of ['window:w=9', 'window:w=9,globals=30']) {
      const { proto, replacements } = swapped(subject, text);
      const [at] = await compareSites(subject.file, { sites: subject.sites, swapped: proto, replacements, seed: 1 }, runner);
      assert.equal(at!.reason, undefined);
      assert.ok((await largestDifference(model, subject, text)) > 1e-3);
    }
  });

  test('a variant that knows neither a window nor a bias refuses by name', async () => {
    const subject = await subjectWith({ sees: within(40, 0) });
    assert.throws(
      () => swapped(subject, 'block-topk:block=4,blocks=2'),
      (error) => error instanceof AttnswapError && error.code === 'UNSUPPORTED' && /block-topk\.blocks takes no bias/.test(error.message),
    );
  });
});

describe('what only looks like a window in some runs is handed over', () => {
  for (const [name, model] of Object.entries(nearWindows)) {
    test(name, async () => {
      const subject = await subjectWith(model);
      const [{ mask, window, reason }] = subject.sites.sites as [Subject['sites']['sites'][number]];
      assert.deepEqual([mask, window, reason], ['bias', undefined, undefined]);
      if (model.odd === true) return;
      for (const text of ['dense.tiled', 'window:w=5000']) {
        const difference = await largestDifference(model, subject, text);
        assert.ok(difference <= 1e-5, `${text}: ${difference}`);
      }
    });
  }
});

test('without a check, a query that long runs skip is taken for one of a window', async () => {
  const judge = fileURLToPath(new URL('drawn/judge-windows.ts', import.meta.url));
  const mutant = fileURLToPath(new URL('drawn/mutant.ts', import.meta.url));
  const unjudged = {
    file: 'src/model/sites/prove-long.ts',
    from: 'known.problem ?? unreadRows(',
    to: 'known.problem ?? ((..._: unknown[]) => undefined)(',
  };
  const unread = { file: 'src/model/sites/long-runs.ts', from: 'show(await runAt({ ...longest, length: whole }, 1))', to: 'void 0' };
  const env = { ATTNSWAP_MUTANT: JSON.stringify([unjudged, unread]) };
  const { stdout } = await execa(process.execPath, ['--import', mutant, judge], { env });
  const taken = Object.entries(JSON.parse(stdout) as Record<string, string>).filter(([, mask]) => mask === 'window');
  assert.deepEqual(
    taken.map(([name]) => name),
    ['a first query that sees every key', 'one query, far from the first, that sees every key'],
  );
});

/** Kernels that take a model's window for another. */
const faults: Readonly<Record<string, (window: Span) => Partial<KernelGraphRequest>>> = {
  'one key more': ({ left, right }) => ({ window: { left: left + 1, right } }),
  'one key fewer': ({ left, right }) => ({ window: { left: left - 1, right } }),
  'left and right exchanged': ({ left, right }) => ({ window: { left: right, right: left } }),
  'no window': () => ({ window: { left: Infinity, right: Infinity } }),
  'no padding beside it': () => ({ masked: false }),
};

describe('a fault in a window is refused before anything is written', () => {
  const folder = emptyFolder();
  after(() => rm(folder, { recursive: true, force: true }));
  const [model, out] = ['model', 'swapped'].map((name) => join(folder, `${name}.onnx`)) as [string, string];
  const [short, long, longer] = [
    { left: 5, right: 2 },
    { left: 300, right: 299 },
    { left: 8191, right: 0 },
  ] as const;
  const swapWith = async (window: Span, change: (request: KernelGraphRequest) => KernelGraphRequest) => {
    await writeFile(model, buildWindowed({ sees: within(window.left, window.right), padded: true }));
    const onnx = adapters[0]!;
    const load = async (): Promise<Adapter> => {
      const adapter = await onnx.load();
      return { ...adapter, kernelGraph: (request) => adapter.kernelGraph!(change(request)) };
    };
    return swap({ model, variants: ['window:w=9000'], out, adapters: [{ ...onnx, load }] });
  };

  test('without one it is written, and said to be exact', async () => {
    const { changes } = await swapWith(short, (request) => request);
    assert.deepEqual(
      changes.map(({ window, exact }) => [window, exact]),
      [[short, true]],
    );
    assert.ok(existsSync(out));
    await rm(out);
  });

  for (const [name, change] of Object.entries(faults)) {
    test(name, async () => {
      for (const window of name.startsWith('one key') ? [short, long, longer] : [short])
        await assert.rejects(
          swapWith(window, (request) => ({ ...request, ...change(request.window!) })),
          (error) => error instanceof AttnswapError && error.code === 'WORKER_FAILED' && /site 0 fails its check/.test(error.message),
        );
      assert.ok(!existsSync(out));
    });
  }
});
