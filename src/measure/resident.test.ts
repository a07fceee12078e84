import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { ModelArmRequest } from './messages.ts';
import { pairProtocol } from './pair-messages.ts';
import { hasGroups, scratchFolder } from './process-group.ts';
import { startResident } from './resident.ts';

const cache = mkdtempSync(join(tmpdir(), 'attnswap-resident-'));
process.env['NODE_COMPILE_CACHE'] = cache;
after(() => rmSync(cache, { recursive: true, force: true }));

const worker = join(import.meta.dirname, 'pair-worker.ts');

test('a worker of a pair leaves its compiled sources to the next one, although it is killed', async () => {
  const adapterModule = new URL('../../adapters/onnx/adapter.ts', import.meta.url).href;
  const request: ModelArmRequest = { adapterModule, backend: 'onnx-cpu', model: 'none.onnx', feeds: { sizes: {}, seed: 1 } };
  const resident = await startResident({ request, worker, stageWorker: worker, cwd: process.cwd() }, { timeoutSeconds: 60 });
  const answer = await resident.ask({ ask: 'prepare', protocol: pairProtocol, request, judgedRows: 1 }, 'prepared');
  await resident.close();
  assert.match(answer.answer === 'fault' ? answer.reason : '', /none\.onnx/);
  assert.ok(readdirSync(cache, { recursive: true, withFileTypes: true }).some((entry) => entry.isFile()));
});

test('kernels that PyTorch compiled are left to the next worker, outside the folder that goes with this one', async () => {
  assert.deepEqual(await keptKernels(), [join(cache, 'torch'), join(cache, 'torch')]);
});

const outside = async () => {
  const [first, second] = await keptKernels();
  assert.equal(second, first);
  assert.equal(first!.startsWith(cache), false);
};

test(
  'where others may write, kernels that PyTorch compiled stay in this process’s folder',
  { skip: !hasGroups && 'needs modes' },
  async () => {
    chmodSync(cache, 0o777);
    await outside();
    chmodSync(cache, 0o700);
    chmodSync(join(cache, 'torch'), 0o775);
    await outside();
    chmodSync(join(cache, 'torch'), 0o700);
  },
);

test('NODE_DISABLE_COMPILE_CACHE keeps no kernels that PyTorch compiled either', async () => {
  process.env['NODE_DISABLE_COMPILE_CACHE'] = '1';
  try {
    await outside();
  } finally {
    delete process.env['NODE_DISABLE_COMPILE_CACHE'];
  }
});

async function keptKernels() {
  const folders = [await scratchFolder(), await scratchFolder()];
  await Promise.all(folders.map(({ remove }) => remove()));
  return folders.map(({ env }) => env.TORCHINDUCTOR_CACHE_DIR);
}
