import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Adapter, AdapterEntry, BackendStatus, KernelDescription } from '../contract/adapter.ts';
import { readSuite } from '../contract/suite.ts';
import { kernelOf, planCells, recordedBackends, selects, withoutLength } from './plan-cells.ts';

const kernel = (variant: string, name: string, lacking?: Record<string, string>): KernelDescription => ({
  variant,
  kernel: name,
  summary: '',
  scoredPairs: () => 1,
  ...(lacking !== undefined && { lacking }),
});
const here = (more: Partial<BackendStatus & { available: true }> = {}): BackendStatus => ({
  available: true,
  version: '1',
  device: 'CPU',
  threads: 1,
  dtypes: ['f32'],
  ...more,
});

function entryOf(name: string, kernels: readonly KernelDescription[], statuses: Readonly<Record<string, BackendStatus>>): AdapterEntry {
  const backends = Object.keys(statuses);
  const adapter: Adapter = {
    name,
    backends,
    kernels,
    status: async (backend) => statuses[backend]!,
    prepare: async () => ({ unsupported: 'never asked' }),
  };
  return { name, backends, module: `file:///${name}.js`, load: async () => adapter };
}

const entries = [
  entryOf('one', [kernel('dense', 'fused', { 'one-gpu': 'no such operator' }), kernel('dense', 'naive'), kernel('topk', 'tiled')], {
    'one-cpu': here({ dtypes: ['f32', 'f16'] }),
    'one-gpu': here(),
    'one-tpu': { available: false, reason: 'no such device', mend: 'buy one' },
  }),
  entryOf('two', [kernel('dense', 'fused'), kernel('dense', 'naive')], { 'two-cpu': here({ lacking: { 'dense.fused': 'too old' } }) }),
];

const suiteOf = (matrix: object) => readSuite({ name: 'test', matrix: { lengths: [8], ...matrix } }, 'test');
const idsOf = async (matrix: object) =>
  (await planCells(suiteOf(matrix), entries)).map(
    ({ cell }) =>
      `${cell.backend} ${cell.variant.name}.${cell.kernel} ${cell.shape.dtype}${cell.pass === undefined ? '' : ` ${cell.pass}`}`,
  );

test('* is every backend of the machine, with the kernels and element types that each has, and the default that it has', async () => {
  assert.deepEqual(await idsOf({ variants: ['dense', 'topk'], backends: ['*'], dtypes: ['f32', 'f16'] }), [
    'one-cpu dense.fused f32',
    'one-cpu topk.tiled f32',
    'one-cpu dense.fused f16',
    'one-cpu topk.tiled f16',
    'one-gpu dense.naive f32',
    'one-gpu topk.tiled f32',
    'two-cpu dense.naive f32',
  ]);
  assert.deepEqual(await idsOf({ variants: ['dense.fused'], backends: ['*'] }), ['one-cpu dense.fused f32']);
});

test('a backend that is named is planned whatever it lacks: the record then says why', async () => {
  assert.deepEqual(await idsOf({ variants: ['dense'], backends: ['two-cpu', 'one-tpu'], dtypes: ['f16'] }), [
    'two-cpu dense.fused f16',
    'one-tpu dense.fused f16',
  ]);
  await assert.rejects(idsOf({ variants: ['topk'], backends: ['two-cpu'] }), {
    code: 'UNKNOWN_KERNEL',
    message: /two has no kernel topk\.\(any\), expected one of none/,
  });
  await assert.rejects(idsOf({ variants: ['dense'], backends: ['two-gpu'] }), { code: 'UNKNOWN_BACKEND' });
  await assert.rejects(idsOf({ variants: ['dense'], backends: ['*'], dtypes: ['bf16'] }), { code: 'INVALID_SUITE' });
});

test('with * the statuses of all backends are recorded, so that what is missing is told', () => {
  assert.deepEqual(recordedBackends(suiteOf({ variants: ['dense'], backends: ['*'] }), entries), [
    'one-cpu',
    'one-gpu',
    'one-tpu',
    'two-cpu',
  ]);
  assert.deepEqual(recordedBackends(suiteOf({ variants: ['dense'], backends: ['one-cpu'] }), entries), ['one-cpu']);
});

test('a pass is part of a cell’s id where it is not the usual one, and selections tell passes apart', async () => {
  const plans = await planCells(suiteOf({ variants: ['dense'], backends: ['one-cpu'], passes: ['forward', 'forward+backward'] }), entries);
  assert.deepEqual(
    plans.map(({ cell }) => cell.id),
    [
      'dense.fused one-cpu b1 h8/8 q8 k8 d64 causal f32 calibrated seed1',
      'dense.fused one-cpu b1 h8/8 q8 k8 d64 causal f32 forward+backward calibrated seed1',
    ],
  );
  assert.deepEqual(
    plans.map((plan) => selects({ pass: 'forward' }, plan)),
    [true, false],
  );
  assert.deepEqual(
    plans.map((plan) => selects({ pass: 'forward+backward', variant: 'dense' }, plan)),
    [false, true],
  );
});

test('without a backend a kernel’s default is the first of its variant', async () => {
  const adapter = await entries[0]!.load();
  assert.equal(kernelOf(adapter, 'dense').kernel, 'fused');
  assert.equal(kernelOf(adapter, 'dense', { backend: 'one-gpu' }).kernel, 'naive');
});

test('shapes are batches of their own beside lengths, padded to one where requests differ', async () => {
  const matrix = { variants: ['dense'], backends: ['one-cpu'], shapes: ['8q1s1024', 'q1s4k', '2q16_3q1s8'] };
  const plans = await planCells(suiteOf(matrix), entries);
  assert.deepEqual(
    plans.map(({ cell }) => cell.id),
    [
      'dense.fused one-cpu b1 h8/8 q8 k8 d64 causal f32 calibrated seed1',
      'dense.fused one-cpu b8 h8/8 q1 k1024 d64 causal f32 calibrated seed1',
      'dense.fused one-cpu b1 h8/8 q1 k4096 d64 causal f32 calibrated seed1',
      'dense.fused one-cpu b5 h8/8 q16 k16 d64 causal f32 2q16_3q1s8 calibrated seed1',
    ],
  );
  assert.deepEqual(
    plans.map(({ cell }) => cell.requests),
    [undefined, undefined, undefined, '2q16_3q1s8'],
  );
  const chosen = (selection: object) => plans.filter((plan) => selects(selection, plan)).map(({ cell }) => cell.shape.keys);
  assert.deepEqual(chosen({ shape: 'q8' }), [8]);
  assert.deepEqual(chosen({ shape: '2q16_3q1s8' }), [16]);
  assert.deepEqual(chosen({ length: 4096 }), [4096]);
  // Single tokens behind caches grow with the cache; they are not short sequences.
  const decoded = await planCells(suiteOf({ ...matrix, shapes: ['q1s1k', 'q1s4k'] }), entries);
  assert.equal(new Set(decoded.map(({ cell }) => withoutLength(cell))).size, 2);
  const left = await planCells(
    readSuite({ name: 'test', matrix: { ...matrix, lengths: [] }, exclude: [{ shape: 'q1s4096' }] }, 'test'),
    entries,
  );
  assert.equal(left.length, 2);
});

test('shapes that are none, a batch size beside them, and neither lengths nor shapes are refused by name', () => {
  const refused = (matrix: object, message: RegExp) =>
    assert.throws(() => readSuite({ name: 'test', matrix: { variants: ['dense'], backends: ['one-cpu'], ...matrix } }, 'test'), {
      code: 'INVALID_SUITE',
      message,
    });
  refused({ shapes: ['q1x4k'] }, /matrix\.shapes.*q2k, q1s4k/);
  refused({ shapes: ['q1s4k'], batch: 2 }, /matrix\.batch.*8q1s1k/);
  refused({}, /matrix\.lengths.*lengths, shapes or both/);
});
