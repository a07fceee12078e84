import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { ModelArmRequest } from './messages.ts';
import { pairProtocol } from './pair-messages.ts';
import { scratchFolder } from './process-group.ts';
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
  const folders = [await scratchFolder(), await scratchFolder()];
  const [first, second] = folders.map(({ env }) => env.TORCHINDUCTOR_CACHE_DIR);
  assert.equal(first, join(cache, 'torch'));
  assert.equal(second, first);
  await Promise.all(folders.map(({ remove }) => remove()));
});
