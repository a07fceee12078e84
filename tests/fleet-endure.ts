import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { execa } from 'execa';
import { readRun } from '../src/contract/run.ts';
import { hostKey } from '../src/fleet/keys.ts';
import type { FleetResult } from '../src/operations/fleet-wait.ts';
import { main } from './run-cli.ts';
import { startRedis } from './redis-server.ts';

const marker = 'ATTNSWAP_FLEET_KILLS';
const victims = ['worker', 'child', 'waiting', 'submitting', 'redis'] as const;
const names = ['a', 'b', 'c'];
/** How long processes may take to notice that they are alone. */
const noticeMs = 20_000;

export interface Endurance {
  readonly kills: number;
  /** The suite's file. */
  readonly suite: string;
  /** What starts a worker: arguments of node. Its key is `<name>.pem`. */
  readonly worker: (name: string, url: string) => readonly string[];
  /** Longest pause before a kill. */
  readonly pauseMs: number;
  /** A number from 0 to 1. */
  readonly random: () => number;
}

/**
 * Kills workers, their measuring processes, whoever waits or submits, and the server, at drawn moments, each started again as a supervisor would.
 * Fails where a declared cell of a submission is neither measured exactly once nor named as missing, or where a process or a lock is left.
 * @returns what was killed, and how the submissions ended
 */
export async function endure({ kills, suite, worker, pauseMs, random }: Endurance) {
  const redis = await startRedis();
  const folder = mkdtempSync(join(tmpdir(), 'attnswap-endure-'));
  const temporary = join(folder, 'tmp');
  mkdirSync(temporary);
  const env = { TMPDIR: temporary, [marker]: folder, ATTNSWAP_REDIS: redis.url };
  const start = (args: readonly string[]) => execa(process.execPath, args, { cwd: folder, env, reject: false });
  const fleet = (...args: string[]) => start([main, 'fleet', ...args, '--insecure', '--quiet', '--json', '--trust', 'trust']);
  writeFileSync(
    join(folder, 'trust'),
    (await Promise.all(names.map((name) => hostKey(join(folder, `${name}.pem`))))).map(({ publicKey }) => `${publicKey}\n`).join(''),
  );
  let over = false;
  const workers = new Map<string, ReturnType<typeof start>>();
  const supervised = names.map(async (name) => {
    while (!over) {
      const child = start(worker(name, redis.url));
      workers.set(name, child);
      await child;
    }
  });
  const tally = { killed: Object.fromEntries(victims.map((name) => [name, 0])), submissions: 0, cells: 0, missing: 0, failed: 0 };
  try {
    while (killed() < kills) {
      const submission = await submit();
      tally.submissions += 1;
      let waiting = fleet('wait', submission, '--give-up', '60');
      let ended = false;
      const fetched = (async () => {
        for (;;) {
          const { exitCode, stdout, stderr } = await waiting;
          if (exitCode === undefined || String(stderr).includes('FLEET_UNREACHABLE')) {
            await setTimeout(500); // It was killed, or met a server that was.
            waiting = fleet('wait', submission, '--give-up', '60');
            continue;
          }
          ended = true;
          assert.ok([0, 3, 5].includes(exitCode) && stdout !== '', `${exitCode}: ${stderr}`);
          return JSON.parse(String(stdout)) as FleetResult;
        }
      })();
      while (!ended && killed() < kills) {
        await Promise.race([setTimeout(pauseMs * random()), fetched]);
        if (!ended) await kill(victims[Math.floor(victims.length * random())]!, () => waiting);
      }
      judge(await fetched);
    }
  } finally {
    over = true;
    for (const child of workers.values()) child.kill('SIGTERM');
    await Promise.all(supervised);
    await redis.stop();
  }
  await until(
    () => processes().length === 0,
    () =>
      `processes are left: ${processes()
        .map(([, words]) => words)
        .join('; ')}`,
  );
  const left = readdirSync(temporary).filter((name) => name.endsWith('.lock'));
  for (const name of left) assert.ok(!isAlive(readFileSync(join(temporary, name), 'utf8')), `the lock ${name} is held`);
  return tally;

  function killed(): number {
    return Object.values(tally.killed).reduce((sum, count) => sum + count, 0);
  }

  async function submit(): Promise<string> {
    for (;;) {
      const { exitCode, stdout, stderr } = await fleet('submit', suite);
      if (exitCode === 0) {
        const { submission, hosts } = JSON.parse(String(stdout)) as { submission: string; hosts: unknown[] };
        if (hosts.length === names.length) return submission;
        await fleet('cancel', submission); // A worker is just being started.
      }
      assert.ok([0, 5].includes(exitCode ?? 5), stderr as string);
      await setTimeout(200);
    }
  }

  async function kill(what: (typeof victims)[number], waiting: () => ReturnType<typeof start>): Promise<void> {
    if (what === 'redis') await redis.restart();
    else if (what === 'waiting') waiting().kill('SIGKILL');
    else if (what === 'submitting') {
      const child = fleet('submit', suite);
      await setTimeout(1000 * random());
      child.kill('SIGKILL');
      const { exitCode, stdout } = await child;
      if (exitCode === 0) await fleet('cancel', (JSON.parse(String(stdout)) as { submission: string }).submission);
    } else if (what === 'worker') workers.get(names[Math.floor(names.length * random())]!)?.kill('SIGKILL');
    else {
      const [child] = processes().filter(([, words]) => /measure\/worker|sleep/.test(words));
      if (child === undefined) return; // Nothing is measured just now.
      process.kill(child[0], 'SIGKILL');
    }
    tally.killed[what]! += 1;
  }

  function judge({ complete, runs }: FleetResult): void {
    assert.equal(runs.length, names.length);
    for (const { records, missing, reasons } of runs) {
      assert.ok(missing.length === 0 || reasons.length > 0, 'something is missing without a reason');
      const read = records.map(({ file }) => readRun(JSON.parse(readFileSync(join(folder, file), 'utf8')), file));
      const declared = read.flatMap((record) => record.declared);
      const cells = read.flatMap((record) => record.cells);
      assert.equal(new Set(declared).size, declared.length, 'a cell is declared twice');
      assert.deepEqual(
        declared.filter((id) => !cells.some((cell) => cell.id === id)).toSorted(),
        missing === 'all' ? [] : missing.filter((id) => declared.includes(id)).toSorted(),
        'a cell is neither measured nor named',
      );
      assert.equal(new Set(cells.map(({ id }) => id)).size, cells.length, 'a cell counts twice');
      tally.cells += cells.length;
      tally.failed += cells.filter(({ status }) => status !== 'ok').length;
      tally.missing += missing === 'all' ? 1 : missing.length;
    }
    assert.equal(
      complete,
      runs.every(({ missing }) => missing.length === 0),
    );
  }

  /** What carries our mark in its environment and is no zombie, but for the server. */
  function processes(): Array<readonly [number, string]> {
    return readdirSync('/proc').flatMap((pid) => {
      try {
        if (!/^\d+$/.test(pid) || !readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`${marker}=${folder}`)) return [];
        return [[Number(pid), readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').slice(0, 200)] as const];
      } catch {
        return [];
      }
    });
  }
}

function isAlive(lock: string): boolean {
  try {
    process.kill(Number.parseInt(lock, 10), 0);
    return true;
  } catch {
    return false;
  }
}

async function until(holds: () => boolean, otherwise: () => string): Promise<void> {
  for (let waitedMs = 0; !holds(); waitedMs += 100) {
    assert.ok(waitedMs < noticeMs, otherwise());
    await setTimeout(100);
  }
}
