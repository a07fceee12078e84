import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { z } from 'zod';
import { forkWorker } from '../../src/protocol/forked-worker.ts';
import { startWorker } from '../../src/protocol/worker-process.ts';
import type { WorkerProcess } from '../../src/protocol/worker-process.ts';
import { workerFolder } from './adapter.ts';
import { findPython } from './python.ts';

const script = fileURLToPath(new URL('./fixtures/forked.py', import.meta.url));
const command = (...more: string[]): [string, ...string[]] => [findPython(), '-B', script, workerFolder, ...more];
const version = spawnSync(findPython(), ['-c', 'import sys; print(sys.version_info >= (3, 9))'], { encoding: 'utf8' }).stdout;
const skip = process.platform !== 'linux' || !version?.startsWith('True') ? 'needs Linux and Python 3.9' : false;

const toldSchema = z.object({
  ...{ pid: z.int(), imported: z.int(), preloaded: z.string().nullable(), session: z.int(), cwd: z.string() },
  ...{ variable: z.string().nullable(), mapped: z.number(), heap: z.number(), descriptors: z.int() },
});
const tell = (worker: WorkerProcess, variable = 'ATTNSWAP_TEST') => worker.ask('tell', { variable }, toldSchema);

/** Whether a process is there; one that has ended and was not waited for is not. */
function runs(pid: number): boolean {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' });
  return stdout.trim() !== '' && !stdout.trim().startsWith('Z');
}

async function gone(pid: number): Promise<void> {
  while (runs(pid)) await setTimeout(10);
}

test('forked workers share what was imported, and have an environment, folder, session and layout of their own', { skip }, async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'forks-'));
  const fresh = startWorker({ command: command(), cwd });
  const alone = await tell(fresh);
  await fresh.close();
  const found = [];
  for (const value of ['one', 'two', 'three']) {
    process.env['ATTNSWAP_TEST'] = value;
    const worker = await forkWorker({ command: command(), cwd }, 'a model');
    found.push({ ...(await tell(worker)), known: worker.pid, value });
    await worker.close();
  }
  delete process.env['ATTNSWAP_TEST'];
  for (const { pid, known, session, variable, value, preloaded, descriptors, ...rest } of found) {
    assert.equal(pid, known);
    assert.equal(session, pid);
    assert.equal(variable, value);
    assert.equal(preloaded, 'a model');
    assert.equal(rest.cwd, cwd);
    assert.notEqual(rest.imported, pid);
    assert.ok(descriptors <= alone.descriptors, `${descriptors} open files, a fresh worker has ${alone.descriptors}`);
  }
  assert.equal(new Set(found.map(({ imported }) => imported)).size, 1);
  assert.equal(new Set(found.map(({ mapped }) => mapped)).size, 3);
  assert.equal(new Set(found.map(({ heap }) => heap)).size, 3);
});

test('what a library may read when it is imported needs another process to be imported in', { skip }, async () => {
  const importedWith = async (threads: string) => {
    process.env['OMP_NUM_THREADS'] = threads;
    const worker = await forkWorker({ command: command() }, null);
    const { imported, variable } = await tell(worker, 'OMP_NUM_THREADS');
    await worker.close();
    assert.equal(variable, threads);
    return imported;
  };
  const before = process.env['OMP_NUM_THREADS'];
  const one = await importedWith('1');
  assert.notEqual(await importedWith('2'), one);
  assert.equal(await importedWith('1'), one);
  if (before === undefined) delete process.env['OMP_NUM_THREADS'];
  else process.env['OMP_NUM_THREADS'] = before;
});

const ways = {
  fresh: async (timeoutSeconds: number) => startWorker({ command: command(), timeoutSeconds }),
  forked: (timeoutSeconds: number) => forkWorker({ command: command(), timeoutSeconds }, null),
};

for (const [way, start] of Object.entries(ways)) {
  test(`a ${way} worker that ends, is killed, fails, is silent or chatters is told alike`, { skip }, async () => {
    for (const [question, message] of [
      ['exit', /exited with code 3 when asked exit: out of luck$/],
      ['die', /was ended by SIGKILL when asked die$/],
      ['raise', /failed to raise: ValueError: no such thing$/],
      ['leave', /exited with code 1 when asked leave: left$/],
      ['sleep', /did not answer sleep within 1 s$/],
    ] as const) {
      const worker = await start(question === 'sleep' ? 1 : 60);
      await assert.rejects(worker.ask(question, {}, z.object({})), { code: 'WORKER_FAILED', message }, question);
      await gone(worker.pid);
      assert.ok(worker.ended());
    }
    const worker = await start(60);
    assert.deepEqual(await worker.ask('rubbish', {}, z.object({ noted: z.boolean() })), { noted: true });
    process.kill(worker.pid, 'SIGSTOP');
    await worker.kill();
    await gone(worker.pid);
    const obedient = await start(60);
    await obedient.endInput();
    await gone(obedient.pid);
  });
}

test('where a thread runs once all is imported, workers start afresh, and that is said once', { skip }, async () => {
  const warned: string[] = [];
  const hear = (warning: Error) => warned.push(`${warning.name}: ${warning.message}`);
  process.on('warning', hear);
  for (let count = 0; count < 2; count += 1) {
    const worker = await forkWorker({ command: command('thread') }, null);
    const { pid, imported } = await tell(worker);
    assert.equal(imported, pid);
    await worker.close();
  }
  await setTimeout(0);
  process.off('warning', hear);
  assert.deepEqual(warned, ['attnswap: every worker imports its libraries anew: 2 threads run once everything is imported']);
});

test('a killed attnswap leaves no worker behind, nor what forks them, even where a worker is busy or stopped', { skip }, async () => {
  const program = `
    const { forkWorker } = await import(${JSON.stringify(new URL('../../src/protocol/forked-worker.ts', import.meta.url).href)});
    const { z } = await import('zod');
    const workers = [];
    for (const what of ['busy', 'stopped']) workers.push(await forkWorker({ command: ${JSON.stringify(command())} }, null));
    const told = await Promise.all(workers.map((worker) => worker.ask('tell', { variable: 'x' }, z.looseObject({}))));
    workers[0].ask('sleep', {}, z.object({}));
    process.kill(workers[1].pid, 'SIGSTOP');
    console.log(JSON.stringify([...told.map(({ pid }) => pid), told[0].imported]));
  `;
  const cwd = fileURLToPath(new URL('../../', import.meta.url));
  const { ATTNSWAP_FORKS: _, ...env } = process.env;
  const child = execa(process.execPath, ['--input-type=module', '-e', program], { reject: false, cwd, env, extendEnv: false });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const pids = JSON.parse(line.toString()) as number[];
  assert.equal(new Set(pids).size, 3);
  for (const pid of pids) assert.ok(runs(pid));
  child.kill('SIGKILL');
  await child;
  for (const pid of pids) await gone(pid);
});

test('a process that measures asks the one that started it; its workers end with it', { skip }, async () => {
  const { forksEnvironment } = await import('../../src/protocol/fork-servers.ts');
  const own = await forkWorker({ command: command() }, null);
  const { imported } = await tell(own);
  await own.close();
  const program = `
    const { forkWorker } = await import(${JSON.stringify(new URL('../../src/protocol/forked-worker.ts', import.meta.url).href)});
    const { z } = await import('zod');
    const worker = await forkWorker({ command: ${JSON.stringify(command())} }, null);
    console.log(JSON.stringify(await worker.ask('tell', { variable: 'x' }, z.looseObject({}))));
  `;
  const cwd = fileURLToPath(new URL('../../', import.meta.url));
  const env = await forksEnvironment();
  assert.ok(existsSync(env['ATTNSWAP_FORKS']!));
  const child = execa(process.execPath, ['--input-type=module', '-e', program], { reject: false, cwd, env });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const told = JSON.parse(line.toString()) as { pid: number; imported: number };
  assert.equal(told.imported, imported);
  child.kill('SIGKILL');
  await child;
  await gone(told.pid);
  assert.ok(runs(imported));
});
