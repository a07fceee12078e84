import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { launchStage } from './launch.ts';
import type { CellStageRequest } from './messages.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnswap-launch-'));
after(() => rmSync(folder, { recursive: true }));

/** A worker that says it is ready, waits to be told, and then does `what`. */
function worker(name: string, what: string): string {
  const path = join(folder, `${name}.mjs`);
  const told = `process.once('message', () => { ${what} })`;
  writeFileSync(path, `process.once('message', () => process.send({ outcome: 'ready' }, () => { ${told}; }));\n`);
  return path;
}

const answers = "process.send({ outcome: 'failed', reason: 'told' }, () => process.exit())";
const request = { stage: 'latency' } as CellStageRequest;

test('a worker times only when nothing else runs, and waiting for that is no part of its time', async () => {
  let quiet = false;
  const otherEnds = setTimeout(6000).then(() => (quiet = true));
  const outcome = await launchStage(request, { worker: worker('waits', answers), timeoutSeconds: 5, quiet: () => otherEnds });
  assert.deepEqual([outcome, quiet], [{ outcome: 'failed', reason: 'told' }, true]);
});

test('a worker that says nothing more once it is told runs out of time', async () => {
  const outcome = await launchStage(request, { worker: worker('hangs', 'setInterval(() => undefined, 1000)'), timeoutSeconds: 3 });
  assert.deepEqual(outcome, { outcome: 'timed-out', reason: 'no answer within 3 s' });
});

test('cells that are prepared at once have as much longer for that, and for nothing else', async () => {
  const path = join(folder, 'prepares.mjs');
  writeFileSync(path, 'setInterval(() => undefined, 1000);\n');
  const options = { timeoutSeconds: 2, preparing: 2 };
  const prepares = await launchStage(request, { worker: path, ...options });
  assert.deepEqual(prepares, { outcome: 'timed-out', reason: 'no answer within 4 s' });
  const hangs = await launchStage(request, { worker: worker('hangs too', 'setInterval(() => undefined, 1000)'), ...options });
  assert.deepEqual(hangs, { outcome: 'timed-out', reason: 'no answer within 2 s' });
});

test('a worker that ends while it waits is told by its end', async () => {
  const path = join(folder, 'ends.mjs');
  writeFileSync(path, "process.once('message', () => process.send({ outcome: 'ready' }, () => process.exit(7)));\n");
  const outcome = await launchStage(request, { worker: path, timeoutSeconds: 60, quiet: () => setTimeout(500) });
  assert.equal(outcome.outcome, 'failed');
  assert.match('reason' in outcome ? outcome.reason : '', /exit code 7|code 7/);
});
