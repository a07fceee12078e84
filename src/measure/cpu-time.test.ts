import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { cpuTimeNs } from './cpu-time.ts';

test('work takes CPU time of this process, waiting hardly any', async () => {
  const start = cpuTimeNs()!;
  for (const until = process.cpuUsage(); process.cpuUsage(until).user < 50_000;);
  const worked = cpuTimeNs()! - start;
  assert.ok(worked >= 50e6);
});

test('the CPU time of another process is read from outside, whatever its name', { skip: process.platform !== 'linux' }, async () => {
  const busy =
    "process.title = 'a) b (c'; for (const until = process.cpuUsage(); process.cpuUsage(until).user < 200_000;); console.log('done'); setInterval(() => {}, 1e6)";
  const child = spawn(process.execPath, ['-e', busy], { stdio: ['ignore', 'pipe', 'ignore'] });
  await once(child.stdout, 'data');
  const used = cpuTimeNs(child.pid);
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.ok(used! >= 180e6, String(used));
  assert.equal(cpuTimeNs(child.pid), undefined);
});
