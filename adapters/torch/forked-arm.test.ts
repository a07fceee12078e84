import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { findAdapter } from '../../src/loading/adapter.ts';
import { modelArm } from '../../src/measure/arm.ts';
import { launchStage } from '../../src/measure/launch.ts';
import { measureBlock } from '../../src/measure/pair-block.ts';
import { pairProtocol } from '../../src/measure/pair-messages.ts';
import { startResident } from '../../src/measure/resident.ts';
import type { Resident } from '../../src/measure/resident.ts';
import { endForkServers } from '../../src/protocol/fork-servers.ts';
import { skipBefore2 as withoutTorch } from '../../tests/torch-installed.ts';
import { adapters } from '../index.ts';
import { findPython } from './python.ts';

const version = spawnSync(findPython(), ['-c', 'import sys; print(sys.version_info >= (3, 9))'], { encoding: 'utf8' }).stdout;
const skip = process.platform !== 'linux' || !version?.startsWith('True') ? 'needs Linux and Python 3.9' : withoutTorch;

// Whoever runs the tests may have switched it off.
delete process.env['ATTNSWAP_FORKS'];

const folder = mkdtempSync(join(tmpdir(), 'forked-arm-'));
const file = join(folder, 'models.py');
const values = 2 ** 21;
writeFileSync(
  file,
  `import os, signal, time, torch

class Model(torch.nn.Module):
    def __init__(self, what):
        super().__init__()
        self.what = what

    def forward(self, x):
        if self.what == 'dies':
            os.kill(os.getpid(), signal.SIGKILL)
        if self.what == 'sleeps':
            time.sleep(3600)
        if self.what == 'raises':
            raise RuntimeError('no such thing')
        return (x + torch.ones(${values})).sum(-1)

inputs = {'x': {'type': 'float32', 'dims': [1]}}
adds = lambda: (Model('adds'), inputs)
dies = lambda: (Model('dies'), inputs)
sleeps = lambda: (Model('sleeps'), inputs)
raises = lambda: (Model('raises'), inputs)
odd = lambda: None
`,
);
const arm = (what: string) =>
  modelArm(
    { backend: 'torch-cpu', model: `${file}:${what}`, feeds: { sizes: {}, seed: 1 }, threads: 1 },
    findAdapter(adapters, 'torch-cpu'),
  );

interface Process {
  readonly pid: number;
  readonly state: string;
  readonly command: string;
}

function childrenOf(parent: number): Process[] {
  const { stdout } = spawnSync('ps', ['-o', 'pid=,stat=,args=', '--ppid', String(parent)], { encoding: 'utf8' });
  const rows = stdout.split('\n').map((line) => line.trim().split(/\s+/));
  return rows.flatMap(([pid = '', state = '', ...words]) =>
    pid === '' || words[0] === 'ps' ? [] : { pid: Number(pid), state, command: words.join(' ') },
  );
}

/** What was forked for this process, and Node processes that it started. */
function measuring() {
  const own = childrenOf(process.pid);
  return {
    forked: own.filter(({ command }) => command.includes('attnswap') || command.includes('worker')).flatMap(({ pid }) => childrenOf(pid)),
    node: own.filter(({ command }) => /pair-worker|measure.worker/.test(command)),
  };
}

/** Starts an arm, which ends with its test. */
async function start(t: TestContext, what: string, options: { timeoutSeconds?: number; signal?: AbortSignal } = {}): Promise<Resident> {
  const resident = await startResident(arm(what), { timeoutSeconds: 300, ...options });
  t.after(() => resident.close());
  return resident;
}

const preparing = (what: string) => ({ ask: 'prepare', protocol: pairProtocol, request: arm(what).request, judgedRows: 0 }) as const;

async function noneLeft(): Promise<void> {
  while (measuring().forked.length > 0) await setTimeout(10);
}

test('a model’s arm is asked by this process, rests while it is not asked, and ends when it is closed', { skip }, async (t) => {
  const resident = await start(t, 'adds');
  const prepared = await resident.ask(preparing('adds'), 'prepared');
  assert.equal(prepared.answer === 'prepared' && prepared.workers, 'forked');
  const { forked, node } = measuring();
  assert.equal(forked.length, 1);
  assert.equal(node.length, 0);
  for (const question of [{ ask: 'warm', capNs: 1e6 } as const, { ask: 'sample', dropped: 1, kept: 2 } as const]) {
    while (!measuring().forked[0]!.state.startsWith('T')) await setTimeout(10);
    const answer = await resident.ask(question, question.ask === 'warm' ? 'warm' : 'samples');
    assert.notEqual(answer.answer, 'fault');
    if (answer.answer === 'samples') assert.equal(answer.samplesNs.filter((ns) => ns > 0).length, 2);
  }
  await resident.close();
  await noneLeft();
});

for (const [what, status, reason] of [
  ['dies', 'failed', /was ended by SIGKILL when asked model-run/],
  ['raises', 'failed', /failed to model-run: RuntimeError: no such thing/],
  ['odd', 'unsupported', /returned NoneType, expected/],
] as const)
  test(`a model that ${what} is told, and its process ends`, { skip }, async (t) => {
    const resident = await start(t, what);
    const answer = await resident.ask(preparing(what), 'prepared');
    assert.ok(answer.answer === 'fault');
    assert.equal(answer.status, status);
    assert.match(answer.reason, reason);
    await resident.close();
    const outcome = await launchStage({ ...arm(what).request, stage: 'memory', sampleSeconds: 0.01 }, { timeoutSeconds: 300 });
    assert.equal(outcome.outcome, status);
    assert.match('reason' in outcome ? outcome.reason : '', reason);
    await noneLeft();
  });

test('a model that is silent is given up, and its process ends', { skip }, async (t) => {
  const resident = await start(t, 'sleeps', { timeoutSeconds: 0.5 });
  const answer = await resident.ask(preparing('sleeps'), 'prepared');
  assert.deepEqual(answer, { answer: 'fault', status: 'timed-out', reason: 'no answer within 0.5 s' });
  await resident.close();
  const outcome = await launchStage({ ...arm('sleeps').request, stage: 'memory', sampleSeconds: 0.01 }, { timeoutSeconds: 0.5 });
  assert.deepEqual(outcome, { outcome: 'timed-out', reason: 'no answer within 0.5 s' });
  await noneLeft();
});

test('an abort ends the process, and what is waited for', { skip }, async (t) => {
  const abort = new AbortController();
  const reason = new Error('enough');
  const { signal } = abort;
  const resident = await start(t, 'sleeps', { signal });
  const asked = resident.ask(preparing('sleeps'), 'prepared');
  const launched = launchStage({ ...arm('sleeps').request, stage: 'latency', sampleSeconds: 0.01 }, { timeoutSeconds: 300, signal });
  const ending = Promise.allSettled([asked, launched]);
  while (measuring().forked.length < 2) await setTimeout(10);
  abort.abort(reason);
  for (const ended of await ending) assert.deepEqual(ended, { status: 'rejected', reason });
  await resident.close();
  await noneLeft();
});

test('a block of two arms tells how their workers were started, and neither of them is left', { skip }, async () => {
  const options = { seed: 1, index: 0, judgedRows: 0, samplingNs: 1e7, timeoutSeconds: 300 };
  const outcome = await measureBlock({ base: arm('adds'), new: arm('adds') }, options);
  assert.ok(outcome.state === 'measured');
  assert.equal(outcome.block.workers, 'forked');
  await noneLeft();
});

test('peak memory is that of a process of its own, with an allocator that pools nothing', { skip }, async () => {
  const peaks = [];
  for (let launch = 0; launch < 2; launch += 1) {
    const outcome = await launchStage({ ...arm('adds').request, stage: 'memory', sampleSeconds: 0.01 }, { timeoutSeconds: 300 });
    assert.ok(outcome.outcome === 'memory');
    assert.ok(outcome.residentBytes! > outcome.memory.peakHostBytes);
    peaks.push(outcome.memory.peakHostBytes);
  }
  // A block of ones, and the sum with it; counters are added up loosely.
  for (const bytes of peaks) assert.ok(Math.abs(bytes / (8 * values) - 1) < 0.1, String(bytes));
  await noneLeft();
});

test('where nothing is forked, an arm has a Node process of its own', { skip }, async (t) => {
  process.env['ATTNSWAP_FORKS'] = '';
  const resident = await start(t, 'adds');
  const prepared = await resident.ask(preparing('adds'), 'prepared');
  assert.equal(prepared.answer === 'prepared' && prepared.workers, 'fresh');
  assert.equal(measuring().node.length, 1);
  await resident.close();
  delete process.env['ATTNSWAP_FORKS'];
  await endForkServers();
});
