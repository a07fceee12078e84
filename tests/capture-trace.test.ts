import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { before, test } from 'node:test';
import { readCapturedInputs } from '../src/inputs/captured.ts';
import { writeSafetensors } from '../src/inputs/safetensors.ts';
import { captureTrace } from '../src/operations/capture-trace.ts';
import { attnswap, emptyFolder } from './run-cli.ts';

// Traces as FlashInfer-Bench 0.1.2 records them (`dump_all`, a list of names, `dump_int`), small enough to count in.

const root = emptyFolder();
const out = join(root, 'captured');
const [heads, kvHeads, headDim] = [4, 2, 3];
const blob = 'blob/tensors.safetensors';

/** Element (token, head, dim) of tensor `of` is its own address. */
const address = (of: number, token: number, head: number, dim: number) => 1000 * of + 100 * token + 10 * head + dim;
const tokens = (of: number, count: number, ofHeads: number) =>
  Float32Array.from({ length: count * ofHeads * headDim }, (_, at) =>
    address(of, Math.floor(at / (ofHeads * headDim)), Math.floor(at / headDim) % ofHeads, at % headDim),
  );
const floats = (of: number, count: number, ofHeads: number, ...shape: number[]) =>
  ({ dtype: 'F32', shape: [...shape, ofHeads, headDim], data: tokens(of, count, ofHeads) }) as const;
const integers = (...values: number[]) => ({ dtype: 'I32', shape: [values.length], data: Int32Array.from(values) }) as const;

before(async () => {
  mkdirSync(join(root, 'blob'));
  await writeSafetensors(join(root, blob), {
    q: floats(1, 5, heads, 5),
    k: floats(2, 7, kvHeads, 7),
    v: floats(3, 7, kvHeads, 7),
    k_cache: floats(4, 8, kvHeads, 4, 2),
    v_cache: floats(5, 8, kvHeads, 4, 2),
    scale: { dtype: 'F32', shape: [], data: Float32Array.of(0.25) },
    qo_indptr: integers(0, 2, 5),
    kv_indptr: integers(0, 4, 7),
    page_indptr: integers(0, 2, 2, 3),
    page_indices: integers(3, 0, 1),
    last: integers(1, 1, 2),
    falling: integers(0, 4, 3),
    beyond: integers(3, 0, 9),
    far: integers(0, 4, 2 ** 24),
    endless: integers(0, 4, 2 ** 31 - 1),
    square: { dtype: 'I32', shape: [1, 3], data: Int32Array.of(0, 4, 7) },
    many: { dtype: 'I64', shape: [2 ** 24 + 2], data: new Uint8Array(8 * (2 ** 24 + 2)) },
    empty: integers(0, 0, 0),
  });
  const bytes = 5 * heads * headDim;
  const header = JSON.stringify({ q: { dtype: 'F8_E4M3', shape: [5, heads, headDim], data_offsets: [0, bytes] } }).padEnd(80);
  const file = Buffer.alloc(8 + header.length + bytes);
  file.writeBigUInt64LE(BigInt(header.length));
  file.write(header, 8);
  writeFileSync(join(root, 'blob', 'eight.safetensors'), file);
});

const dumped = (tensor_key: string, path = `./${blob}`) => ({ type: 'safetensors', path, tensor_key });
const random = { type: 'random' };
const ragged = {
  q: dumped('q'),
  k: dumped('k'),
  v: dumped('v'),
  qo_indptr: dumped('qo_indptr'),
  kv_indptr: dumped('kv_indptr'),
  sm_scale: dumped('scale'),
};
const paged = {
  q: dumped('q'),
  k_cache: dumped('k_cache'),
  v_cache: dumped('v_cache'),
  kv_indptr: dumped('page_indptr'),
  kv_indices: dumped('page_indices'),
  kv_last_page_len: dumped('last'),
  sm_scale: { type: 'scalar', value: 0.5 },
};

function traceOf(...calls: ReadonlyArray<readonly [definition: string, inputs: object]>): string {
  const file = join(root, 'workloads', 'op', 'calls.jsonl');
  mkdirSync(dirname(file), { recursive: true });
  // They differ in their last digit alone.
  const lines = calls.map(([definition, inputs], at) => ({
    definition,
    workload: { axes: {}, inputs, uuid: `12345678-0000-0000-0000-00000000000${at}` },
    solution: null,
    evaluation: null,
  }));
  writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return file;
}

test('each request becomes captured inputs: its own queries, and its keys and values in the order of its pages', async () => {
  const trace = traceOf(['gqa_ragged_prefill_causal_h4_kv2_d3', ragged], ['gqa_paged_decode_h4_kv2_d3_ps2', paged]);
  const { files, workloads } = await captureTrace({ trace, out });
  assert.deepEqual(
    workloads.map(({ shape, reason }) => [shape, reason]),
    [
      ['q2s4_q3', null],
      ['q1s3_q1s2', null],
    ],
  );
  const expected = [
    { queries: [0, 1], key: 2, keys: [0, 1, 2, 3], scale: 0.25 },
    { queries: [2, 3, 4], key: 2, keys: [4, 5, 6], scale: 0.25 },
    { queries: [0], key: 4, keys: [6, 7, 0], scale: 0.5 }, // pages 3 and 0, of which the last holds one token
    { queries: [2], key: 4, keys: [2, 3], scale: 0.5 }, // the request in between has no keys
  ];
  assert.equal(files.length, expected.length);
  for (const [at, { queries, key, keys, scale }] of expected.entries()) {
    const { inputs } = await readCapturedInputs(files[at]!, { dtype: 'f32' });
    const headsFirst = (of: number, rows: readonly number[], ofHeads: number) =>
      Array.from({ length: ofHeads }, (_, head) =>
        rows.map((token) => Array.from({ length: headDim }, (__, dim) => address(of, token, head, dim))),
      ).flat(2);
    assert.deepEqual([...inputs.query], headsFirst(1, queries, heads));
    assert.deepEqual([...inputs.key], headsFirst(key, keys, kvHeads));
    assert.deepEqual([...inputs.value], headsFirst(key + 1, keys, kvHeads));
    assert.deepEqual([inputs.scale, inputs.shape.causal], [scale, true]);
  }
});

test('where tensors were not dumped, the lengths are told for a suite, and the exit code is 3', async () => {
  const trace = traceOf(
    ['gqa_ragged_prefill_causal_h4_kv2_d3', { ...ragged, q: random, k: random, v: random }],
    ['gqa_paged_decode_h4_kv2_d3_ps2', { ...paged, kv_last_page_len: random }],
    ['gemm_n128_k2048', { A: random, B: random }],
  );
  const { exitCode, stdout, stderr } = await attnswap(['capture', trace, '--out', out]);
  assert.equal(exitCode, 3, stderr);
  assert.equal(stdout, '');
  assert.match(stderr, /^shapes: \['q2s4_q3'\]$/m);
  assert.match(stderr, /1 of 3 workloads: its index tensors were not dumped/);
  assert.match(stderr, /1 of 3 workloads: no attention with keys and values of its own: it has A, B/);
});

test('what cannot be captured of a workload is a reason, and the others are written', async () => {
  const trace = traceOf(
    ['gqa_ragged_prefill_causal_h4_kv2_d3', ragged],
    ['gqa_ragged_prefill_causal_h4_kv2_d3', { ...ragged, q: dumped('q', 'blob/eight.safetensors') }],
    ['gqa_ragged_prefill_causal_h4_kv2_d3', { ...ragged, kv_indptr: dumped('empty') }],
    ['gqa_ragged_prefill_causal_h4_kv2_d3', ragged],
  );
  const { files, workloads } = await captureTrace({ trace, out });
  assert.equal(new Set(files).size, 4, 'each has a file of its own');
  assert.deepEqual(
    workloads.map(({ shape, reason }) => [shape, reason]),
    [
      ['q2s4_q3', null],
      ['q2s4_q3', 'q not dumped as F64, F32, F16, BF16'],
      [null, 'no request has queries and keys'],
      ['q2s4_q3', null],
    ],
  );
});

test('a file is never written over by another workload', async () => {
  const trace = traceOf(['gqa h4', ragged], ['gqa/h4', ragged]);
  writeFileSync(trace, readFileSync(trace, 'utf8').replaceAll('00000000001', '00000000000'));
  await assert.rejects(captureTrace({ trace, out }), { code: 'INVALID_DATA', message: /line 2: its files would be named gqa-h4-/ });
});

for (const [definition, causal] of Object.entries({ gqa_causal: true, causal_h4: true, gqa_noncausal_h4: false, gqa_non_causal: false })) {
  test(`${definition} is ${causal ? '' : 'not '}causal`, async () => {
    const { files } = await captureTrace({ trace: traceOf([definition, ragged]), out, items: 1 });
    assert.equal((await readCapturedInputs(files[0]!, { dtype: 'f32' })).inputs.shape.causal, causal);
  });
}

test('a scale that was not dumped is 1/√d, and told', async () => {
  const told: string[] = [];
  const trace = traceOf(['gqa_ragged_prefill_causal_h4_kv2_d3', { ...ragged, sm_scale: random }]);
  const { files } = await captureTrace({ trace, out, items: 1, onWarning: (what) => told.push(what) });
  assert.equal(files.length, 1);
  assert.equal((await readCapturedInputs(files[0]!, { dtype: 'f32' })).inputs.scale, 1 / Math.sqrt(headDim));
  assert.match(told.join(), /line 1: sm_scale was not dumped/);
});

const wrongInputs: Readonly<Record<string, readonly [object, RegExp]>> = {
  'a path above the data set': [{ ...ragged, q: dumped('q', '../secret.safetensors') }, /line 1: \.\.\/secret\.safetensors lies outside/],
  'an absolute path': [{ ...ragged, q: dumped('q', '/etc/passwd') }, /\/etc\/passwd lies outside/],
  'a tensor that the file lacks': [{ ...ragged, v: dumped('w') }, /holds no tensor w/],
  'offsets that fall': [{ ...ragged, kv_indptr: dumped('falling') }, /kv_indptr does not rise/],
  'more tokens than any batch has': [{ ...ragged, kv_indptr: dumped('endless') }, /2147483647 keys, expected at most/],
  'more tokens than there are': [{ ...ragged, kv_indptr: dumped('far') }, /k: token 16777215 is out of range, expected less than 7/],
  'offsets of two axes': [{ ...ragged, kv_indptr: dumped('square') }, /kv_indptr is I32 \[1, 3\]/],
  'more offsets than any batch has': [{ ...ragged, kv_indptr: dumped('many') }, /kv_indptr is I64 \[16777218\]/],
  'a scale of many values': [{ ...ragged, sm_scale: dumped('q') }, /sm_scale is F32 \[5, 4, 3\]/],
  'offsets of floats': [{ ...ragged, kv_indptr: dumped('q') }, /kv_indptr is F32/],
  'a page that there is not': [{ ...paged, kv_indices: dumped('beyond') }, /token 18 is out of range, expected less than 8/],
  'a scale below 0': [{ ...paged, sm_scale: { type: 'scalar', value: -1 } }, /sm_scale is -1/],
  'an input of another kind': [{ ...paged, q: { type: 'url' } }, /line 1: workload\.inputs\.q/],
};

for (const [name, [inputs, says]] of Object.entries(wrongInputs)) {
  test(`refused, naming line and tensor: ${name}`, async () => {
    const trace = traceOf(['gqa_paged_decode_h4_kv2_d3_ps2', inputs]);
    await assert.rejects(captureTrace({ trace, out }), { code: 'INVALID_DATA', message: says });
  });
}

for (const [pages, says] of Object.entries({
  ps1: /k_cache has pages of 2 tokens, its definition declares 1/,
  ps0: /declares pages of 0 tokens/,
})) {
  test(`refused: a definition with ${pages} over a cache with pages of 2 tokens`, async () => {
    const trace = traceOf([`gqa_paged_decode_h4_kv2_d3_${pages}`, paged]);
    await assert.rejects(captureTrace({ trace, out }), { code: 'INVALID_DATA', message: says });
  });
}

test('a link out of the data set, as in a cache of Hugging Face, is refused with what to do', async () => {
  symlinkSync(import.meta.filename, join(root, 'blob', 'link.safetensors'));
  const trace = traceOf(['gqa_ragged', { ...ragged, q: dumped('q', 'blob/link.safetensors') }]);
  await assert.rejects(captureTrace({ trace, out }), { code: 'INVALID_DATA', hint: /--local-dir/ });
});

test('a trace takes no options of models, and a model none of traces', async () => {
  const ofTrace = await attnswap(['capture', 'calls.jsonl', '--out', out, '--site', '0', '--lengths', '64']);
  assert.equal(ofTrace.exitCode, 5);
  assert.match(ofTrace.stderr, /a trace does not take --lengths, --site/);
  assert.match((await attnswap(['capture', 'model.onnx', '--out', out, '--root', root])).stderr, /a model does not take --root/);
});

test('a model still needs --data', async () => {
  const { exitCode, stderr } = await attnswap(['capture', 'model.onnx', '--out', out]);
  assert.equal(exitCode, 5);
  assert.match(stderr, /--data is missing/);
});
