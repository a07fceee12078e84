import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { readRun } from '../src/contract/run.ts';
import { fleetKey, runKey, sealed } from '../src/fleet/entries.ts';
import { replaying } from '../src/fleet/fixtures/replaying.ts';
import type { ReplayOptions } from '../src/fleet/fixtures/replaying.ts';
import { joinQueue } from '../src/fleet/join.ts';
import { hostKey, keyOf, newPrivateKey } from '../src/fleet/keys.ts';
import { connect } from '../src/fleet/redis.ts';
import { queueRuns } from '../src/fleet/submissions.ts';
import { hashOfSuite, loadSuite } from '../src/loading/suite.ts';
import { cancelSubmission, fleetStatus } from '../src/operations/fleet-status.ts';
import { submitToFleet } from '../src/operations/fleet-submit.ts';
import { waitForFleet } from '../src/operations/fleet-wait.ts';
import { emptyFolder, suiteText } from './run-cli.ts';
import { lacksRedis, password, startRedis } from './redis-server.ts';

const skip = lacksRedis;
const folder = emptyFolder();
const suitePath = join(folder, 'mine.suite.ts');
const fourCells = join(folder, 'four.suite.ts');
const trust = join(folder, 'trust');
let redis: Awaited<ReturnType<typeof startRedis>>;
let client: Redis;
const address = () => ({ redis: redis.url, insecure: true });

before(async () => {
  if (lacksRedis !== false) return;
  writeFileSync(suitePath, suiteText('mine', ['dense.fused', 'window.tiled']));
  writeFileSync(fourCells, suiteText('four', ['dense.fused', 'window.tiled']).replace('[64]', '[64, 128]'));
  redis = await startRedis();
  client = await connect(address());
});
after(async () => {
  if (lacksRedis !== false) return;
  await Promise.all(leaving.map((leave) => leave()));
  client.disconnect();
  await redis.stop();
});

/** Hosts of tests that failed. */
const leaving: Array<() => Promise<unknown>> = [];

interface JoinSettings extends ReplayOptions {
  readonly labels?: Readonly<Record<string, string>>;
  readonly lostAfterMs?: number;
  readonly url?: string;
}

/** A host of this process that replays. */
async function joined(name: string, { labels = {}, lostAfterMs = 1500, url = redis.url, ...replay }: JoinSettings = {}) {
  const key = await hostKey(join(folder, `${name}.pem`));
  const stop = new AbortController();
  const told: string[] = [];
  const ready = Promise.withResolvers<void>();
  const work = joinQueue({
    redis: url,
    insecure: true,
    key,
    name,
    labels: { of: name, ...labels },
    version: '0',
    lostAfterMs,
    measure: replaying(replay),
    signal: stop.signal,
    tell: (what) => told.push(what),
    onJoined: () => ready.resolve(),
    onIdle: () => undefined,
  });
  await Promise.race([ready.promise, work]);
  writeFileSync(trust, `${key.publicKey}\n`, { flag: 'a' });
  const leave = async () => {
    stop.abort(new Error('stopped'));
    return work;
  };
  leaving.push(leave);
  return { key, told, leave };
}

const submit = (on: string, more: object = {}) => submitToFleet({ ...address(), suite: suitePath, on, trust, ...more });
const wait = (submission: string, more: object = {}) =>
  waitForFleet({ ...address(), submission, trust, dir: join(folder, 'runs'), giveUpSeconds: 2, ...more });

test('jobs that are wrong in any way are refused and told, and the worker lives', { skip }, async () => {
  const host = await joined('lives');
  const { suite, sha256 } = await loadSuite(suitePath);
  const runs = [{ host: host.key.id, repeat: 1 }];
  const submittedAt = new Date().toISOString();
  const forge = (bad: object) => queueRuns(client, address(), { suite: { data: suite, sha256 }, submittedAt, runs, ...bad });
  const code = { ...suite, adapters: ['../../tmp/evil.ts'] };
  const forged: Record<string, readonly [object, RegExp]> = {
    'an unknown suite': [{ suite: { name: 'nowhere', sha256 } }, /no suite "nowhere"/],
    'a wrong hash': [{ suite: { name: 'smoke', sha256 } }, /of this installation has the hash/],
    'a wrong hash of data': [{ suite: { data: suite, sha256: 'f'.repeat(64) } }, /not the one whose hash/],
    'a path in the name': [{ suite: { name: '../../etc/passwd', sha256 } }, /submission .*suite/],
    'a name that moves the cursor': [{ suite: { name: '\u001b[2J', sha256 } }, /submission .*suite/],
    code: [{ suite: { data: code, sha256: hashOfSuite(code) } }, /names adapters or workers/],
    '50 MB of JSON': [{ padding: 'x'.repeat(50e6) }, /bytes, expected at most/],
    'a date that is none': [{ submittedAt: 'never' }, /submission .*submittedAt/],
  };
  for (const [name, [bad, says]] of Object.entries(forged)) {
    const told = host.told.length;
    await forge(bad);
    for (let tries = 0; host.told.length === told && tries < 200; tries++) await setTimeout(50);
    assert.match(host.told.slice(told).join('\n'), says, name);
    assert.ok(!host.told.join('').includes('\u001b'));
  }
  const { Queue } = await import('bullmq');
  const queue = new Queue(host.key.id, { connection: { host: '127.0.0.1', port: redis.port, password }, prefix: 'attnswap' });
  for (const data of [null, 'text', { submission: '../x', run: 0 }, { submission: 'abcdefghijkl', run: 0 }, { huge: 'x'.repeat(50e6) }])
    await queue.add('run', data, { removeOnComplete: true });
  const { submission } = await submit('of=lives');
  const { complete, runs: fetched } = await wait(submission);
  assert.ok(complete);
  assert.equal(fetched[0]?.records[0]?.cells, 2);
  assert.ok(host.told.some((words) => words.includes('a job that names no run')));
  assert.ok(host.told.some((words) => words.includes('there is no submission "abcdefghijkl"')));
  await queue.close();
  assert.equal((await host.leave()).done, 1);
});

test('records of a foreign key are left out and told; what is missing is named, and the others stay', { skip }, async () => {
  const host = await joined('honest', { cellMs: 300 });
  const { submission } = await submit('of=honest');
  const foreign = keyOf(newPrivateKey(), 'foreign');
  const place = { submission, run: 0 };
  const [field, other] = [`${foreign.id}:head`, `${host.key.id}:head`];
  await client.hset(
    runKey(place),
    field,
    sealed(foreign, place, field, {}),
    other,
    sealed(foreign, place, other, {}),
    'x'.repeat(1000),
    'y',
  );
  await client.hset(runKey(place), `${host.key.id}:cell:${'0'.repeat(16)}`, sealed(foreign, place, other, {}));
  const { complete, runs } = await wait(submission);
  assert.ok(complete);
  assert.match(runs[0]!.reasons.join(), /left out: 3 entries that no trusted host signed/);
  await host.leave();
  writeFileSync(join(folder, 'others'), `${foreign.publicKey}\n`);
  const distrusted = await wait(submission, { trust: join(folder, 'others') });
  assert.equal(distrusted.complete, false);
  assert.equal(distrusted.runs[0]!.missing, 'all');
  await assert.rejects(submit('of=honest', { trust: join(folder, 'others') }), { code: 'INVALID_FLEET' });
});

test('a host that is lost is replaced by one with the same labels, and its settings that are complete are kept', { skip }, async () => {
  const lost = await joined('lost', { labels: { of: 'pair' }, cellMs: 150, lostAfterMs: 700 });
  const { submission } = await submit('of=pair', { suite: fourCells });
  while ((await client.hlen(runKey({ submission, run: 0 }))) < 4) await setTimeout(20);
  await lost.leave();
  const heir = await joined('heir', { labels: { of: 'pair' }, lostAfterMs: 700 });
  const { complete, runs } = await wait(submission);
  assert.ok(complete, JSON.stringify(runs));
  const [run] = runs;
  assert.deepEqual(
    run!.records.map(({ host, cells }) => [host, cells]),
    [
      ['lost', 2],
      ['heir', 2],
    ],
  );
  const cells = run!.records.flatMap(({ file }) => readRun(JSON.parse(readFileSync(file, 'utf8')), file).cells.map(({ id }) => id));
  assert.equal(new Set(cells).size, 4);
  await heir.leave();
});

test('a run that nobody can take is given up, with what was measured and the missing cells named', { skip }, async () => {
  const host = await joined('only', { cellMs: 400, lostAfterMs: 500 });
  const { submission } = await submit('of=only');
  while ((await client.hlen(runKey({ submission, run: 0 }))) < 2) await setTimeout(20);
  await host.leave();
  const { complete, runs } = await wait(submission, { giveUpSeconds: 1 });
  assert.equal(complete, false);
  assert.equal(runs[0]!.records[0]!.cells, 1);
  assert.deepEqual(runs[0]!.missing.length, 1);
  assert.match(runs[0]!.reasons.join(), /no host with its labels responded for 1 s/);
});

test('a submission that is cancelled ends with the cell that is measured, and what waits is never begun', { skip }, async () => {
  const host = await joined('busy', { cellMs: 500 });
  const { submission } = await submit('of=busy', { suite: fourCells, repeat: 3 });
  while ((await client.hlen(runKey({ submission, run: 0 }))) < 2) await setTimeout(20);
  assert.equal(await cancelSubmission({ ...address(), submission }), 2);
  const { complete, runs } = await wait(submission);
  assert.equal(complete, false);
  const [begun, ...others] = runs.map(({ missing }) => missing);
  assert.ok(begun !== 'all' && begun!.length > 0 && begun!.length < 4, JSON.stringify(begun));
  assert.deepEqual(others, ['all', 'all']);
  const status = await fleetStatus(address());
  assert.ok(status.submissions.find(({ id }) => id === submission)?.cancelled);
  assert.equal((await host.leave()).cancelled, 1);
});

test('a Redis that restarts with its append-only file in the middle of a run loses nothing', { skip }, async () => {
  const host = await joined('steady', { cellMs: 400 });
  const { submission } = await submit('of=steady', { repeat: 2 });
  while ((await client.hlen(runKey({ submission, run: 0 }))) < 2) await setTimeout(20);
  await redis.restart();
  const { complete, runs } = await wait(submission);
  assert.ok(complete, JSON.stringify(runs));
  assert.deepEqual(
    runs.map(({ records }) => records.length),
    [1, 1],
  );
  await host.leave();
});

test('a wrong password and a server that never answers are errors at once, for every command', { skip }, async () => {
  const wrong = redis.url.replace(password, 'wrong');
  await assert.rejects(fleetStatus({ redis: wrong, insecure: true }), { code: 'FLEET_UNREACHABLE', message: /WRONGPASS/ });
  const sockets: Socket[] = [];
  const silent = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
  await setTimeout(50);
  const url = `redis://:x@127.0.0.1:${(silent.address() as AddressInfo).port}`;
  await assert.rejects(connect({ redis: url, insecure: true }, 500), { code: 'FLEET_UNREACHABLE', message: /no answer in 0.5 s/ });
  for (const socket of sockets) socket.destroy();
  silent.close();
});

test('a full Redis refuses a submission, and keeps a worker waiting without a busy loop until there is room', { skip }, async () => {
  const host = await joined('patient', { cellMs: 100 });
  const { submission } = await submit('of=patient');
  while ((await client.hlen(runKey({ submission, run: 0 }))) < 1) await setTimeout(10);
  await client.config('SET', 'maxmemory', '1');
  await assert.rejects(submit('of=patient'), { code: 'FLEET_UNREACHABLE', message: /Redis is full: .*nothing was submitted/ });
  await setTimeout(500);
  const commands = async () => Number(/total_commands_processed:(\d+)/.exec(await client.info('stats'))![1]);
  const start = await commands();
  await setTimeout(3000);
  const asked = (await commands()) - start;
  assert.ok(asked < 100, `${asked} commands in three seconds`);
  assert.match(host.told.join('\n'), /Redis is full: .*trying again/);
  await client.config('SET', 'maxmemory', '0');
  const { complete } = await wait(submission, { giveUpSeconds: 60 });
  assert.ok(complete);
  await host.leave();
});

test('a user with the rights that docs/fleet.md gives can do everything', { skip }, async () => {
  const text = readFileSync(new URL('../docs/fleet.md', import.meta.url), 'utf8');
  await client.call('ACL', /`ACL (SETUSER fleet [^`]*)`/.exec(text)![1]!.split(' '));
  const url = redis.url.replace(`:${password}`, 'fleet:password');
  const host = await joined('limited', { url });
  const { submission } = await submit('of=limited', { redis: url });
  assert.ok((await wait(submission, { redis: url })).complete);
  assert.equal(await cancelSubmission({ redis: url, insecure: true, submission }), 0);
  assert.deepEqual(host.told, []);
  await host.leave();
});

test('what a worker leaves in Redis goes by itself', { skip }, async () => {
  for await (const keys of client.scanStream({ match: `${fleetKey('*')}` }) as AsyncIterable<string[]>)
    for (const key of keys) {
      const forever = ['hosts', 'heard', 'doing', 'submissions'].map((name) => fleetKey(name));
      assert.ok(forever.includes(key) || (await client.ttl(key)) > 0, key);
    }
});
