import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import * as ort from '../../src/processes/onnxruntime.ts';
import { GraphBuilder } from '../../src/model/graph/graph-builder.ts';
import { createInputs } from '../../src/inputs/create-inputs.ts';
import { feedsOf } from './call.ts';
import { kernelModel } from './kernel-graph.ts';
import { configOf, kernelOf } from './kernel-of.ts';
import { adapter } from './adapter.ts';
import { profileCall, summarize } from './profile.ts';

const node = (operator: string, ts: number, dur: number, tid = 1) => ({
  cat: 'Node',
  name: `${operator}_kernel_time`,
  ts,
  dur,
  tid,
  args: { op_name: operator, provider: 'CPUExecutionProvider' },
});
const run = (ts: number, dur: number) => ({ cat: 'Session', name: 'model_run', ts, dur, tid: 1 });

test('an operator’s time is its own, without that of the nodes in its body, however deep', () => {
  // As ONNX Runtime writes them: an event when a node ends, so the bodies come first.
  const record = [
    run(0, 90),
    node('MatMul', 10, 70),
    node('Shape', 100, 5),
    node('MatMul', 110, 20),
    node('Add', 131, 9),
    node('If', 130, 12),
    node('MatMul', 142, 20),
    node('MatMul', 105, 4, 2),
    node('Loop', 105, 60),
    node('Slice', 165, 5),
    run(100, 72),
  ];
  const own = Object.fromEntries(summarize(record).map(({ operator, totalNs, calls }) => [operator, [calls, totalNs / 1000]]));
  assert.deepEqual(own, { MatMul: [3, 44], Add: [1, 9], Loop: [1, 8], Shape: [1, 5], Slice: [1, 5], If: [1, 3] });
});

test('the operators of a kernel with a loop take no longer than the call', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'attnswap-profile-test-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const shape = { batch: 1, heads: 2, kvHeads: 2, queries: 512, keys: 512, headDim: 32, dtype: 'f32', causal: true } as const;
  const { inputs } = await createInputs({ kind: 'gaussian', shape, seed: 1, wantsGate: false });
  const request = { backend: 'onnx-cpu', variant: 'dense', parameters: {}, kernel: 'tiled', inputs, purpose: 'latency' } as const;
  const config = configOf(request);
  const kernel = kernelOf(request, config);
  assert.ok(!('unsupported' in kernel));
  const options = { enableProfiling: true, profileFilePrefix: join(folder, 'call') };
  const session = await ort.InferenceSession.create(kernelModel(kernel, config), options);
  await session.run(feedsOf(request));
  session.endProfiling();
  await session.release();
  const record = JSON.parse(readFileSync(join(folder, readdirSync(folder)[0]!), 'utf8')) as { name: string; dur: number }[];
  const callNs = 1000 * record.find(({ name }) => name === 'model_run')!.dur;
  const operators = summarize(record);
  assert.ok(operators.some(({ operator }) => operator === 'Loop'));
  const totalNs = operators.reduce((sum, { totalNs: own }) => sum + own, 0);
  assert.ok(totalNs > 0 && totalNs <= callNs, `${totalNs} of ${callNs} ns`);
});

test('a profile that the runtime could not write whole, as on a full disk, is said with the way out', async () => {
  const graph = new GraphBuilder();
  const input = graph.input('a', 'f32', [1]);
  const model = graph.model([{ name: 'b', value: graph.op('Neg', [input]), type: 'f32' }]);
  const cut = (prefix: string) => {
    writeFileSync(join(dirname(prefix), 'call.json'), '[{"cat" : "Session"');
    return { model, options: {} };
  };
  await assert.rejects(profileCall(cut, { a: new ort.Tensor('float32', [1], [1]) }), {
    code: 'FILE_UNREADABLE',
    message: /wrote an incomplete profile to the temporary folder/,
    hint: /TMPDIR=/,
  });
});

test('a kernel that was profiled tells what its last call ran, as a session of its own does, and further calls are not profiled', async () => {
  const shape = { batch: 1, heads: 2, kvHeads: 2, queries: 65, keys: 65, headDim: 8, dtype: 'f32', causal: true } as const;
  const { inputs } = await createInputs({ kind: 'gaussian', shape, seed: 1, wantsGate: false });
  const request = { backend: 'onnx-cpu', variant: 'dense', parameters: {}, kernel: 'naive', inputs, purpose: 'latency' } as const;
  const open = async (profiled: boolean) => {
    const kernel = await adapter.prepare({ ...request, profiled });
    assert.ok(!('unsupported' in kernel));
    return kernel;
  };
  const [plain, profiled] = [await open(false), await open(true)];
  assert.equal(plain.endProfile, undefined);
  for (let call = 0; call < 3; call++) await profiled.run();
  const found = await profiled.endProfile!();
  const facts = ({ operators }: typeof found) => operators.map(({ operator, calls }) => `${operator} ${calls}`).toSorted();
  assert.deepEqual(facts(found), facts(await plain.dispatch()));
  const output = await profiled.output();
  await profiled.run();
  assert.deepEqual(await profiled.output(), output);
  await Promise.all([plain.dispose(), profiled.dispose()]);
});
