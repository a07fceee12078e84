import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { adapter as onnx } from '../../../adapters/onnx/with-graphs.ts';
import { adapter as ortPython } from '../../../adapters/ort-python/adapter.ts';
import { attnswap, emptyFolder } from '../../../tests/run-cli.ts';
import { inMemory, subjectOf } from '../../../tests/subjects.ts';
import { migrate } from '../../operations/migrate.ts';
import { swap } from '../../operations/swap.ts';
import { parseReplacements } from '../../migration/parse-replacements.ts';
import { capWarnings } from './soft-caps.ts';
import { swapSites } from './swap.ts';

const cwd = emptyFolder();
const model = join(cwd, 'capped.onnx');
const dimensions = { queries: 9, keys: 9 };
const reason = "ONNX Runtime's WebGPU provider ignores the soft cap of GroupQueryAttention";

/** One causal attention with a soft cap, in plain operators. */
function capped(): Uint8Array {
  const sizes = { heads: 2, kvHeads: 2, headDim: 8, causal: true, selfAttention: true, masked: false, biased: false, softcap: 2 };
  const graph = onnx.kernelGraph!({ variant: 'dense', kernel: 'naive', parameters: {}, ...sizes, dtype: 'f32', scale: 0.5, opset: 18 });
  assert.ok(graph instanceof Uint8Array);
  return graph;
}

before(() => writeFileSync(model, capped()));

test('a kernel that loses the cap on a backend is refused there, and another one is not', async () => {
  const { sites } = await subjectOf(inMemory('capped', capped()), dimensions);
  assert.equal(sites.sites[0]!.softcap, 2);
  const swapped = (backend: string, text: string) =>
    swapSites(sites, { adapter: onnx, backend, seed: 1, replacements: parseReplacements([text], [0], onnx) });
  for (const backend of ['onnx-webgpu', 'ort-webgpu'])
    assert.throws(() => swapped(backend, 'dense.fused'), {
      code: 'UNSUPPORTED',
      message: new RegExp(`^site 0 \\(.*\\) cannot become dense\\.fused: ${reason}$`),
      hint: 'use dense.tiled, which computes the cap itself',
    });
  for (const [backend, text] of [
    ['onnx-webgpu', 'dense.tiled'],
    ['onnx-cpu', 'dense.fused'],
  ] as const)
    assert.ok(swapped(backend, text).graph!.node.length > 0);
});

test('what a site without a cap becomes, or keeps it everywhere, is no warning; sites of one reason share one', () => {
  const sites = [{ softcap: 2 }, {}, { softcap: 30 }, { softcap: 2 }].map((site, at) => ({ site: at, node: `n${at}`, ...site }));
  const replaced = (adapter: typeof onnx, ...texts: string[]) => capWarnings(sites, parseReplacements(texts, [0, 1, 2], adapter), adapter);
  for (const adapter of [onnx, ortPython])
    assert.deepEqual(replaced(adapter, 'dense.fused'), [`sites 0, 2: ${reason}: use dense.tiled if the new model is to run there`]);
  assert.deepEqual(replaced(onnx, '0=dense.tiled', '1-2=dense.fused'), [
    `site 2: ${reason}: use dense.tiled if the new model is to run there`,
  ]);
  assert.deepEqual(replaced(onnx, 'dense.tiled'), []);
});

test('swap says in its record and in its text where the new model would be wrong', async () => {
  const written = (variant: string) => swap({ model, variants: [variant], dimensions, out: join(cwd, `${variant}.onnx`) });
  assert.deepEqual((await written('dense.fused')).warnings, [`site 0: ${reason}: use dense.tiled if the new model is to run there`]);
  assert.deepEqual((await written('dense.tiled')).warnings, []);
  const sizes = Object.entries(dimensions).flatMap(([name, size]) => ['--dim', `${name}=${size}`]);
  const { stdout, exitCode } = await attnswap(['swap', 'capped.onnx', '--variant', 'dense.fused', ...sizes, '--out', 'new.onnx'], { cwd });
  assert.equal(exitCode, 0);
  assert.match(stdout, new RegExp(`^warning: site 0: ${reason}: use dense\\.tiled`, 'm'));
});

test('migrate warns of such candidates before it measures', async () => {
  const items = join(cwd, 'items.mjs');
  const tensor = `{ type: 'float32', dims: [1, 2, length, 8], data: Float32Array.from({ length: 16 * length }, (_, at) => Math.sin(at)) }`;
  writeFileSync(
    items,
    `export const items = async ({ lengths }) => lengths.map((length) => ({ id: String(length), length, feeds: { query: ${tensor}, key: ${tensor}, value: ${tensor} } }));\n`,
  );
  const stop = new AbortController();
  const told: string[] = [];
  const onWarning = (warning: string) => {
    told.push(warning);
    if (warning.includes('WebGPU')) stop.abort();
  };
  const options = { model, data: [items], lengths: [9], items: 1, dimensions, candidates: ['dense.tiled', 'dense.fused'] };
  await assert.rejects(migrate({ ...options, dir: join(cwd, 'migration'), onWarning, signal: stop.signal }), { code: 'INTERRUPTED' });
  assert.ok(told.includes(`dense.fused: site 0: ${reason}: use dense.tiled if the new model is to run there`), told.join('\n'));
});
