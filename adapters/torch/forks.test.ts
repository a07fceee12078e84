import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { z } from 'zod';
import { adapters } from '../index.ts';
import { readSuite } from '../../src/contract/suite.ts';
import { armOf } from '../../src/measure/arm.ts';
import { pairProtocol } from '../../src/measure/pair-messages.ts';
import { planCells } from '../../src/measure/plan-cells.ts';
import { startResident } from '../../src/measure/resident.ts';
import { signalForked } from '../../src/processes/forked.ts';
import { endForkServers, forkServer, forksEnvironment } from '../../src/protocol/fork-servers.ts';
import { forkWorker } from '../../src/protocol/forked-worker.ts';
import { connectIn } from '../../src/protocol/sockets.ts';
import { startWorker } from '../../src/protocol/worker-process.ts';
import type { WorkerProcess } from '../../src/protocol/worker-process.ts';
import { skip as withoutTorch } from '../../tests/torch-installed.ts';
import { workerFolder } from './adapter.ts';
import { findPython } from './python.ts';

const script = fileURLToPath(new URL('./fixtures/forked.py', import.meta.url));
const command = (...more: string[]): [string, ...string[]] => [findPython(), '-B', script, workerFolder, ...more];
const version = spawnSync(findPython(), ['-c', 'import sys; print(sys.version_info >= (3, 9))'], { encoding: 'utf8' }).stdout;
const skip = process.platform !== 'linux' || !version?.startsWith('True') ? 'needs Linux and Python 3.9' : false;

// Whoever runs the tests may have switched it off.
delete process.env['ATTNSWAP_FORKS'];

const toldSchema = z.object({
  ...{ pid: z.int(), imported: z.int(), preloaded: z.string().nullable(), session: z.int(), cwd: z.string() },
  ...{ variable: z.string().nullable(), own: z.string().nullable(), gaps: z.array(z.int()), heap: z.number(), descriptors: z.int() },
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
  for (const value of ['1', '2', '3', '4', '5', '6', '7', '8']) {
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
  // Drawn among 2^15 and 2^13: eight that are all equal are one draw.
  for (const { gaps } of found) assert.equal(gaps.length, 1);
  assert.notEqual(new Set(found.map(({ gaps }) => gaps[0])).size, 1);
  assert.notEqual(new Set(found.map(({ heap }) => heap)).size, 1);
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

/** What is warned of meanwhile. */
async function warnedIn(work: (warned: readonly string[]) => Promise<void>): Promise<string[]> {
  const warned: string[] = [];
  const hear = (warning: Error) => warned.push(`${warning.name}: ${warning.message}`);
  process.on('warning', hear);
  await work(warned);
  await setTimeout(0);
  process.off('warning', hear);
  return warned;
}

/** Whether a worker is one of its own, or forked. Long waits are not what is tested here. */
async function isFresh(worker: WorkerProcess): Promise<boolean> {
  const { pid, imported } = await worker.ask('tell', { variable: 'x' }, toldSchema, 600);
  return pid === imported;
}

for (const [how, reason] of [
  ['thread', '2 threads run once everything is imported'],
  ['forbidden', 'workers are forked on Linux 5.3 or later, by Python 3.9 or later'],
] as const)
  test(`where nothing can be forked (${how}), workers start afresh, and that is said once`, { skip }, async () => {
    const warned = await warnedIn(async () => {
      for (let count = 0; count < 2; count += 1) {
        const worker = await forkWorker({ command: command(how) }, null);
        assert.ok(await isFresh(worker));
        await worker.close();
      }
    });
    assert.deepEqual(warned, [`attnswap: workers import their libraries anew: ${reason}`]);
  });

test('a worker that cannot be forked starts afresh; the others, and those that follow, are none the worse', { skip }, async () => {
  const first = await forkWorker({ command: command() }, null);
  const { imported } = await tell(first);
  const warned = await warnedIn(async () => {
    for (const model of ['broken', 'too many', 'broken']) {
      const worker = await forkWorker({ command: command() }, model);
      assert.ok(await isFresh(worker), model);
      await worker.close();
    }
  });
  assert.deepEqual(
    warned,
    ['the model is broken', '[Errno 24] Too many open files'].map((reason) => `attnswap: workers import their libraries anew: ${reason}`),
  );
  const next = await forkWorker({ command: command() }, null);
  assert.equal((await tell(next)).imported, imported);
  assert.equal((await tell(first)).imported, imported);
  await Promise.all([first.close(), next.close()]);
});

test('folders do not share what was imported: a relative PYTHONPATH means other files in each', { skip }, async () => {
  process.env['PYTHONPATH'] = 'lib';
  const found = [];
  for (const name of ['one', 'two']) {
    const cwd = mkdtempSync(join(tmpdir(), 'forks-'));
    mkdirSync(join(cwd, 'lib'));
    writeFileSync(join(cwd, 'lib', 'own_module.py'), `name = '${name}'\n`);
    const worker = await forkWorker({ command: command(), cwd }, null);
    found.push(await tell(worker));
    await worker.close();
  }
  delete process.env['PYTHONPATH'];
  assert.deepEqual(
    found.map(({ own }) => own),
    ['one', 'two'],
  );
  for (const { pid, imported } of found) assert.notEqual(pid, imported);
});

test('what imports set in the environment stays; what the request lacks or changes is the request’s', { skip }, async () => {
  const start = async (variables: Record<string, string>, variable: string) => {
    Object.assign(process.env, variables);
    const worker = await forkWorker({ command: command() }, null);
    for (const name of Object.keys(variables)) delete process.env[name];
    const told = await tell(worker, variable);
    await worker.close();
    return told;
  };
  delete process.env['TORCHINDUCTOR_COMPILE_THREADS'];
  await endForkServers();
  const first = await start({ ATTNSWAP_TEST: 'old' }, 'TORCHINDUCTOR_COMPILE_THREADS');
  assert.equal(first.variable, '1');
  assert.equal((await start({ ATTNSWAP_TEST: 'new' }, 'ATTNSWAP_TEST')).variable, 'new');
  assert.equal((await start({ ATTNSWAP_TEST: 'old' }, 'ATTNSWAP_TEST')).variable, 'old');
  const last = await start({}, 'ATTNSWAP_TEST');
  assert.equal(last.variable, null);
  assert.equal(last.imported, first.imported);
  assert.equal((await start({}, 'TMPDIR')).variable, process.env['TMPDIR'] ?? null);
});

test('workers that are asked for at once are all forked', { skip }, async () => {
  const workers = await Promise.all(Array.from({ length: 6 }, () => forkWorker({ command: command() }, null)));
  const told = await Promise.all(workers.map((worker) => tell(worker)));
  assert.equal(new Set(told.map(({ pid }) => pid)).size, 6);
  assert.equal(new Set(told.map(({ imported }) => imported)).size, 1);
  await Promise.all(workers.map((worker) => worker.close()));
});

test('a forked worker rests and goes on; no other process is signalled', { skip }, async () => {
  const stateOf = (pid: number) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]![0];
  const worker = await forkWorker({ command: command() }, null);
  await tell(worker);
  signalForked(worker.pid, 'SIGSTOP');
  while (stateOf(worker.pid) !== 'T') await setTimeout(1);
  const answered = tell(worker);
  signalForked(worker.pid, 'SIGCONT');
  assert.equal((await answered).pid, worker.pid);
  const service = startWorker({ command: command() });
  signalForked(service.pid, 'SIGKILL');
  assert.equal((await tell(service)).pid, service.pid);
  signalForked(process.pid, 'SIGKILL');
  await Promise.all([worker.close(), service.close()]);
});

test('while an arm is not asked, its forked worker rests, and goes on with the next question', { skip: skip || withoutTorch }, async () => {
  await endForkServers();
  const matrix = { variants: ['dense.naive'], backends: ['torch-cpu'], lengths: [16] };
  const [plan] = await planCells(readSuite({ name: 'rest', matrix }, 'rest'), adapters);
  const arm = armOf(plan!, undefined, 1);
  const resident = await startResident(arm, { timeoutSeconds: 300 });
  /** Children of a process that run attnswap's PyTorch worker, with their states. */
  const workersOf = (parent: number) =>
    spawnSync('ps', ['-o', 'pid=,stat=,args=', '--ppid', String(parent)], { encoding: 'utf8' })
      .stdout.split('\n')
      .filter((line) => line.includes(workerFolder) && !line.includes(script))
      .map((line) => line.trim().split(/\s+/))
      .map(([pid, state]) => ({ pid: Number(pid), state: state! }));
  try {
    const prepared = await resident.ask({ ask: 'prepare', protocol: pairProtocol, request: arm.request, judgedRows: 4 }, 'prepared');
    assert.equal(prepared.answer, 'prepared');
    const forked = () => workersOf(process.pid).flatMap(({ pid }) => workersOf(pid));
    for (const question of [{ ask: 'warm', capNs: 1e6 } as const, { ask: 'sample', dropped: 0, kept: 2 } as const]) {
      while (!forked()[0]!.state.startsWith('T')) await setTimeout(10);
      assert.notEqual((await resident.ask(question, question.ask === 'warm' ? 'warm' : 'samples')).answer, 'fault');
    }
    assert.equal(forked().length, 1);
  } finally {
    await resident.close();
  }
});

test('where what forks workers is killed, the question fails, and workers start afresh from then on', { skip }, async () => {
  await endForkServers();
  const worker = await forkWorker({ command: command() }, null);
  const { imported } = await tell(worker);
  const asked = worker.ask('sleep', {}, z.object({}));
  const warned = await warnedIn(async (soFar) => {
    process.kill(imported, 'SIGKILL');
    await assert.rejects(asked, { code: 'WORKER_FAILED', message: /was ended by SIGKILL when asked sleep$/ });
    await gone(worker.pid);
    while (soFar.length === 0) await setTimeout(5);
    const next = await forkWorker({ command: command() }, null);
    assert.ok(await isFresh(next));
    await next.close();
  });
  assert.deepEqual(warned, ['attnswap: workers import their libraries anew: the process that forks them was ended by SIGKILL']);
  await endForkServers();
});

test('a request that is never read, answered too late, or given up is none', { skip }, async () => {
  await endForkServers();
  const first = await forkWorker({ command: command() }, null);
  const { imported } = await tell(first);
  process.kill(imported, 'SIGSTOP');
  const abort = new AbortController();
  const given = forkWorker({ command: command(), signal: abort.signal }, null);
  await setTimeout(50);
  abort.abort();
  const stopped = await given;
  await gone(stopped.pid);
  await assert.rejects(stopped.ask('tell', { variable: 'x' }, toldSchema), { code: 'WORKER_FAILED', message: /was ended by SIGKILL/ });
  const warned = await warnedIn(async () => {
    const late = await forkWorker({ command: command(), timeoutSeconds: 0.1 }, null);
    assert.ok(await isFresh(late));
    await late.close();
    const unread = forkWorker({ command: command() }, null);
    await setTimeout(50);
    process.kill(imported, 'SIGKILL');
    const worker = await unread;
    assert.ok(await isFresh(worker));
    await worker.close();
  });
  assert.ok(warned.includes('attnswap: workers import their libraries anew: the process that forks them did not answer within 0.1 s'));
  assert.equal(warned.filter((each) => each.endsWith('the process that forks them is gone')).length, 1);
  await first.kill();
  await endForkServers();
});

test('connections that do not ask for a worker in full are closed, and hold up nothing', { skip }, async () => {
  const env = Object.fromEntries(Object.entries(process.env).map(([name, value]) => [name, value!]));
  const folder = await forkServer({ command: command('impatient'), cwd: process.cwd(), env });
  const sockets = [];
  for (const line of [
    '',
    '{"worker": "half"',
    '{"worker": "half", "role": "stdin"}\n',
    '[1]\n',
    '{"worker": [], "role": 1}\n',
    'no JSON\n',
  ]) {
    const socket = await connectIn(folder!, 'socket');
    socket.on('error', () => undefined).resume();
    if (line !== '') socket.write(line);
    sockets.push(socket);
  }
  for (const socket of sockets) if (!socket.closed) await once(socket, 'close');
});

test('what forks workers ends with the operation: those that run go on, the next come from another', { skip }, async () => {
  await endForkServers();
  const running = await forkWorker({ command: command() }, null);
  const { imported } = await tell(running);
  await endForkServers();
  const next = await forkWorker({ command: command() }, null);
  const told = await tell(next);
  assert.notEqual(told.pid, told.imported);
  assert.notEqual(told.imported, imported);
  assert.equal((await tell(running)).imported, imported);
  await running.close();
  await gone(imported);
  await next.close();
});

test('only a user’s code is waited for when a worker ends', { skip }, async () => {
  for (const start of [
    (way: string) => forkWorker({ command: command(way) }, null),
    async (way: string) => startWorker({ command: command(way) }),
  ])
    for (const way of ['user', 'attnswap']) {
      const file = join(mkdtempSync(join(tmpdir(), 'forks-')), 'left');
      const worker = await start(way);
      await worker.ask('later', { file }, z.object({}));
      await worker.close();
      assert.equal(readFileSync(file, 'utf8'), way === 'user' ? 'done' : '');
    }
});

test('PyTorch computes on two threads after a fork', { skip: skip || withoutTorch }, async () => {
  const worker = await forkWorker({ command: command('torch') }, null);
  assert.ok(!(await isFresh(worker)));
  const { threads, furthest } = await worker.ask('multiply', {}, z.object({ threads: z.int(), furthest: z.number() }));
  assert.equal(threads, 2);
  assert.ok(furthest < 1e-2, String(furthest));
  await worker.close();
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
  const own = await forkWorker({ command: command() }, null);
  const { imported } = await tell(own);
  await own.close();
  const program = `
    const { forkWorker } = await import(${JSON.stringify(new URL('../../src/protocol/forked-worker.ts', import.meta.url).href)});
    const { z } = await import('zod');
    const worker = await forkWorker({ command: ${JSON.stringify(command())} }, null);
    for (let count = 0; count < 2; count += 1) await (await forkWorker({ command: ${JSON.stringify(command())} }, 'odd')).close();
    console.log(JSON.stringify(await worker.ask('tell', { variable: 'x' }, z.looseObject({}))));
  `;
  const cwd = fileURLToPath(new URL('../../', import.meta.url));
  const env = await forksEnvironment();
  assert.ok(existsSync(env['ATTNSWAP_FORKS']!));
  const child = execa(process.execPath, ['--input-type=module', '-e', program], { reject: false, cwd, env });
  let line: Buffer = Buffer.alloc(0);
  const warned = await warnedIn(async () => void ([line] = (await once(child.stdout, 'data')) as [Buffer]));
  assert.deepEqual(warned, ['attnswap: workers import their libraries anew: the model is odd']);
  const told = JSON.parse(line.toString()) as { pid: number; imported: number };
  assert.equal(told.imported, imported);
  child.kill('SIGKILL');
  await child;
  await gone(told.pid);
  assert.ok(runs(imported));
});
