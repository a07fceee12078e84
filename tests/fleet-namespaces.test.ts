import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa, execaSync } from 'execa';
import { readRun } from '../src/contract/run.ts';
import { runKey } from '../src/fleet/entries.ts';
import { hostKey } from '../src/fleet/keys.ts';
import { connect } from '../src/fleet/redis.ts';
import { fleetStatus } from '../src/operations/fleet-status.ts';
import { submitToFleet } from '../src/operations/fleet-submit.ts';
import { waitForFleet } from '../src/operations/fleet-wait.ts';
import { lacksRedis, startRedis } from './redis-server.ts';
import { emptyFolder, suiteText } from './run-cli.ts';

// Three workers, each in a network of its own, reach the server through a link that can be cut.

const worker = fileURLToPath(new URL('./fixtures/fleet-worker.ts', import.meta.url));
const names = ['a', 'b', 'c'].map((letter) => `as${process.pid}${letter}`);
/** Addresses of both ends of a worker's link, in a block of four. */
const addressOf = (index: number, end: 1 | 2) =>
  `10.${100 + (process.pid % 100)}.${Math.floor(process.pid / 100) % 256}.${4 * index + end}`;
const ip = (...args: string[]) => execaSync('ip', args, { reject: false });

const lacksNamespaces = (() => {
  if (spawnSync('ip', ['netns', 'add', names[0]!]).status !== 0)
    return 'network namespaces need Linux, iproute2 and the right to make them';
  ip('netns', 'del', names[0]!);
  return false;
})();

const children: Array<{ kill(signal: NodeJS.Signals): boolean }> = [];
let redis: Awaited<ReturnType<typeof startRedis>> | undefined;
after(async () => {
  await redis?.stop();
  for (const child of children) child.kill('SIGKILL');
  if (lacksNamespaces === false) for (const name of names) ip('netns', 'del', name); // Its link goes with it.
});

test(
  'a worker whose network is cut is lost, another takes its run over, and once it is back every cell counts once',
  { skip: lacksRedis || lacksNamespaces },
  async () => {
    for (const [index, name] of names.entries()) {
      for (const line of [
        `netns add ${name}`,
        `link add ${name} type veth peer name eth0 netns ${name}`,
        `addr add ${addressOf(index, 1)}/30 dev ${name}`,
        `link set ${name} up`,
        `-n ${name} addr add ${addressOf(index, 2)}/30 dev eth0`,
        `-n ${name} link set eth0 up`,
      ]) {
        const { exitCode, stderr } = ip(...line.split(' '));
        assert.equal(exitCode, 0, `ip ${line}: ${stderr}`);
      }
    }
    redis = await startRedis(['--bind', '127.0.0.1', ...names.map((_, index) => addressOf(index, 1))]);
    const cwd = emptyFolder();
    const keys = await Promise.all(names.map((name) => hostKey(join(cwd, `${name}.pem`))));
    writeFileSync(join(cwd, 'trust'), keys.map(({ publicKey }) => `${publicKey}\n`).join(''));
    for (const [index, name] of names.entries()) {
      const url = redis!.url.replace('127.0.0.1', addressOf(index, 1));
      const args = ['netns', 'exec', name, process.execPath, worker, url, name, JSON.stringify({ pool: 'x' }), '500', '3000'];
      // With a temporary folder of its own, and so a lock of its own, as another machine has.
      children.push(execa('ip', args, { cwd, reject: false, env: { TMPDIR: emptyFolder() } }));
    }
    const address = { redis: redis.url, insecure: true };
    const isThere = async (count: number) => (await fleetStatus(address)).hosts.filter(({ doing }) => doing !== null).length === count;
    while (!(await isThere(3))) await setTimeout(100);
    writeFileSync(join(cwd, 'eight.suite.ts'), suiteText('eight', ['dense.fused', 'window.tiled']).replace('[64]', '[64, 128, 256, 512]'));
    const { submission } = await submitToFleet({
      ...address,
      suite: join(cwd, 'eight.suite.ts'),
      trust: join(cwd, 'trust'),
      on: `host=${names[0]}`,
    });
    const client = await connect(address);
    while ((await client.hlen(runKey({ submission, run: 0 }))) < 3) await setTimeout(20);
    ip('link', 'set', names[0]!, 'down');
    const { complete, runs } = await waitForFleet({
      ...address,
      submission,
      trust: join(cwd, 'trust'),
      dir: join(cwd, 'runs'),
      giveUpSeconds: 120,
    });
    assert.ok(complete, JSON.stringify(runs));
    assert.deepEqual(
      new Set(runs[0]!.records.map(({ host }) => host === names[0])),
      new Set([true, false]),
      'both hosts measured some of it',
    );
    ip('link', 'set', names[0]!, 'up');
    while (!(await isThere(3))) await setTimeout(100);
    const again = await waitForFleet({ ...address, submission, trust: join(cwd, 'trust'), dir: join(cwd, 'again') });
    const cells = again.runs[0]!.records.flatMap(({ file }) =>
      readRun(JSON.parse(readFileSync(file, 'utf8')), file).cells.map(({ id }) => id),
    );
    assert.deepEqual([again.complete, cells.length, new Set(cells).size], [true, 8, 8]);
    client.disconnect();
  },
);
