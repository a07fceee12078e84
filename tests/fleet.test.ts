import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { execa } from 'execa';
import { readRun } from '../src/contract/run.ts';
import { joinFleet } from '../src/operations/fleet-join.ts';
import { submitToFleet } from '../src/operations/fleet-submit.ts';
import { waitForFleet } from '../src/operations/fleet-wait.ts';
import { adapter } from './fixtures/scripted-adapter.ts';
import { attnswap, emptyFolder, main, suiteText, untilSaid } from './run-cli.ts';
import { freePort, lacksRedis, password, startRedis } from './redis-server.ts';

const skip = lacksRedis;

/** A worker as a user starts it, in a folder of its own. */
async function worker(redis: { url: string }, name: string, labels: string) {
  const cwd = join(emptyFolder(), name);
  mkdirSync(cwd);
  const args = ['fleet', 'join', '--insecure', '--name', name, '--labels', labels, '--lost-after', '3'];
  const child = execa(process.execPath, [main, ...args], { cwd, reject: false, env: { ATTNSWAP_REDIS: redis.url } });
  // A test that fails leaves none, which would keep this file from ending.
  after(() => child.kill('SIGKILL'));
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await untilSaid(child, 'has joined');
  return { name, child, said: () => said, key: /attnswap-ed25519:\S+/.exec(said)![0] };
}

test('three workers measure a suite, one after another on one machine, and every record is fetched whole', { skip }, async () => {
  const redis = await startRedis();
  after(() => redis.stop());
  const workers = await Promise.all(['alpha', 'beta', 'gamma'].map((name) => worker(redis, name, `gpu=none,rack=${name}`)));
  const cwd = emptyFolder();
  mkdirSync(join(cwd, '.attnswap'));
  writeFileSync(join(cwd, '.attnswap/fleet-trust'), workers.map(({ key, name }) => `${key} ${name}\n`).join(''));
  writeFileSync(join(cwd, 'mine.suite.ts'), suiteText('mine', ['dense.fused']));
  const env = { ATTNSWAP_REDIS: redis.url };
  const submitted = await attnswap(['fleet', 'submit', './mine.suite.ts', '--on', 'gpu=*', '--insecure'], { cwd, env });
  assert.equal(submitted.exitCode, 0, submitted.stderr);
  assert.match(submitted.stderr, /3 runs on 3 hosts: alpha, beta, gamma/);
  const waited = await attnswap(['fleet', 'wait', submitted.stdout.trim(), '--insecure'], { cwd, env });
  assert.equal(waited.exitCode, 0, `${waited.stderr}\n${workers.map(({ said }) => said()).join('\n')}`);
  const files = readdirSync(join(cwd, 'runs'));
  assert.equal(files.length, 3);
  const runs = files.map((file) => readRun(JSON.parse(readFileSync(join(cwd, 'runs', file), 'utf8')), file));
  for (const { complete, cells, command } of runs) {
    assert.ok(complete);
    assert.deepEqual(
      cells.map(({ status }) => status),
      ['ok'],
    );
    assert.ok(!JSON.stringify(command).includes('redis://'), 'no password in a record');
  }
  const intervals = runs.map(({ startedAt, endedAt }) => [startedAt, endedAt!] as const).toSorted(([a], [b]) => (a < b ? -1 : 1));
  for (const [index, [start]] of intervals.entries()) if (index > 0) assert.ok(intervals[index - 1]![1] <= start, 'two at once');
  let { stdout } = await attnswap(['fleet', 'status', '--insecure'], { cwd, env });
  // A host tells what it does once a second.
  for (let tries = 0; tries < 20 && !/^alpha +idle /m.test(stdout); tries++)
    ({ stdout } = await attnswap(['fleet', 'status', '--insecure'], { cwd, env }));
  assert.match(stdout, /^alpha +idle .*gpu=none .*rack=alpha/m);
  assert.match(stdout, /mine .*3 of 3 runs +ended/);
  for (const { child } of workers) child.kill('SIGTERM');
  for (const { child } of workers) assert.equal((await child).exitCode, 143);
});

test(
  'a call that blocks for longer than a host may be silent loses nothing: locks are renewed outside of the measuring process',
  { skip },
  async () => {
    const redis = await startRedis();
    const cwd = emptyFolder();
    // The measuring process reads it in the folder that it is started in.
    const before = process.cwd();
    process.chdir(cwd);
    try {
      writeFileSync('fault.json', JSON.stringify({ ms: 1500 }));
      const scripted = new URL('./fixtures/scripted-adapter.ts', import.meta.url);
      const adapters = [{ name: 'scripted', backends: ['scripted'], module: scripted.href, load: async () => adapter }];
      writeFileSync(
        'slow.suite.mjs',
        `export default { name: 'slow', matrix: { variants: ['dense'], backends: ['scripted'], lengths: [4] }, sampleSeconds: 0.01, wasteRows: 4 };\n`,
      );
      const stop = new AbortController();
      const told: string[] = [];
      const address = { redis: redis.url, insecure: true };
      const joined = Promise.withResolvers<string>();
      const work = joinFleet({
        ...address,
        adapters,
        name: 'slow',
        lostAfterSeconds: 1,
        signal: stop.signal,
        onWarning: (warning) => told.push(warning),
        onJoined: ({ publicKey }) => joined.resolve(publicKey),
      });
      writeFileSync('trust', await Promise.race([joined.promise, work.then(() => '')]));
      const { submission } = await submitToFleet({ ...address, suite: './slow.suite.mjs', trust: 'trust' });
      const { complete, runs } = await waitForFleet({ ...address, submission, trust: 'trust' });
      assert.ok(complete, JSON.stringify(runs));
      stop.abort();
      assert.deepEqual(await work, { done: 1, refused: 0, cancelled: 0, dropped: 0 });
      assert.deepEqual(
        told.filter((words) => !words.startsWith('noise: ')),
        [],
      );
    } finally {
      process.chdir(before);
      await redis.stop();
    }
  },
);

const lacksOpenssl = spawnSync('openssl', ['version']).error === undefined ? false : 'openssl is not installed';

test("over TLS, with an authority of one's own as docs/fleet.md makes it", { skip: skip || lacksOpenssl }, async () => {
  const cwd = emptyFolder();
  const made = /```sh\nmkdir tls && cd tls\n([^]*?)\nchmod/.exec(readFileSync(new URL('../docs/fleet.md', import.meta.url), 'utf8'))![1]!;
  await execa('sh', ['-ec', made.replaceAll('DNS:queue', 'DNS:localhost')], { cwd });
  const port = await freePort();
  const files = [
    '--tls-cert-file',
    join(cwd, 'queue.crt'),
    '--tls-key-file',
    join(cwd, 'queue.key'),
    '--tls-ca-cert-file',
    join(cwd, 'ca.crt'),
  ];
  const redis = await startRedis(['--port', '0', '--tls-port', `${port}`, '--tls-auth-clients', 'no', ...files]);
  const env = { ATTNSWAP_REDIS: `rediss://:${password}@localhost:${port}` };
  const trusted = await attnswap(['fleet', 'status'], { cwd, env: { ...env, NODE_EXTRA_CA_CERTS: join(cwd, 'ca.crt') } });
  assert.equal(trusted.exitCode, 0, trusted.stderr);
  assert.match(trusted.stdout, /no host has joined/);
  const unknown = await attnswap(['fleet', 'status'], { cwd, env });
  assert.equal(unknown.exitCode, 5);
  assert.match(unknown.stderr, /certificate.*\[FLEET_UNREACHABLE\]/);
  await redis.stop();
});

test('without TLS and a password nothing connects, unless --insecure says so', async () => {
  const cwd = emptyFolder();
  for (const [command, url, lacks] of [
    ['join', 'redis://127.0.0.1:1', 'without TLS and without a password'],
    ['status', 'rediss://127.0.0.1:1', 'without a password'],
    ['join', 'redis://:secret@127.0.0.1:1', 'without TLS'],
  ] as const) {
    const { exitCode, stderr } = await attnswap(['fleet', command, '--redis', url], { cwd });
    assert.equal(exitCode, 5);
    assert.match(stderr, new RegExp(`127\\.0\\.0\\.1:1 is reached ${lacks}: .*\\[USAGE\\]\\n.*--insecure`));
    assert.ok(!stderr.includes('secret'));
  }
  const { stderr } = await attnswap(['fleet', 'status', '--redis', 'redis://:secret@127.0.0.1:1', '--insecure'], { cwd });
  assert.match(stderr, /ECONNREFUSED.*\[FLEET_UNREACHABLE\]/);
  assert.match((await attnswap(['fleet', 'status'], { cwd, env: { ATTNSWAP_REDIS: '' } })).stderr, /no server was given/);
});
