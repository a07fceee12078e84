import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadBetween, quotaLoad, snapshotQuota, throttling } from './block-load.ts';
import type { Load, QuotaUse } from './block-load.ts';

const self = 100;

/** Half a second on 64 processors: busy time of others and ours, in processors, what was stolen, and what the group used. */
function half({
  others = 0,
  own = 0,
  stolen = 0,
  quota,
}: {
  others?: number;
  own?: number;
  stolen?: number;
  quota?: QuotaUse;
}): [Load, Load] {
  const at = (ticks: number, use: QuotaUse | undefined): Load => ({
    atNs: ticks * 1e7,
    processes: {
      processors: 64,
      timePerCore: ticks,
      busyTime: ticks * (others + own + stolen),
      stolenTime: ticks * stolen,
      processes: [{ pid: self, parent: 1, name: 'node', time: ticks * own, reapedTime: 0 }],
    },
    quota: use,
  });
  const unused = quota && {
    ...quota,
    usedNs: quota.usedNs === undefined ? undefined : 0,
    throttledNs: quota.throttledNs === undefined ? undefined : 0,
  };
  return [at(0, unused), at(50, quota)];
}

const seconds = 1e9;
const near = (actual: number | undefined, expected: number) =>
  assert.ok(actual !== undefined && Math.abs(actual - expected) < 1e-9, `${actual}, expected ${expected}`);

test('without a quota others take what they keep busy', () => {
  assert.deepEqual(loadBetween(...half({ others: 3, own: 2 }), self), { othersCores: 3 });
});

test('under a quota, work elsewhere on the host takes nothing while processors are left for the quota', () => {
  const quota = { cpus: 2, usedNs: 1 * seconds, throttledNs: 0 };
  const taken = (others: number) => loadBetween(...half({ others, own: 2, quota }), self).othersCores;
  near(taken(50), 0);
  near(taken(62), 0);
  near(taken(63.5), 1.5);
});

test('others in the same group take from the quota', () => {
  // The group used 1 s in half a second, of which we used a half.
  const { othersCores } = loadBetween(...half({ others: 10, own: 1, quota: { cpus: 2, usedNs: 1 * seconds, throttledNs: 0 } }), self);
  near(othersCores, 1);
});

test('stolen time takes the same share of the quota as of the machine', () => {
  const { othersCores } = loadBetween(...half({ stolen: 32, own: 1, quota: { cpus: 2, usedNs: 0.5 * seconds, throttledNs: 0 } }), self);
  near(othersCores, 1);
});

test('a group that does not tell its use is judged by the host', () => {
  const quota = { cpus: 2, usedNs: undefined, throttledNs: undefined };
  assert.deepEqual(loadBetween(...half({ others: 10, own: 1, quota }), self), { othersCores: 0 });
});

test('what the quota kept back is told, also where processes are not', () => {
  const [before, after] = half({ own: 1, quota: { cpus: 1, usedNs: 0.5 * seconds, throttledNs: 0.1 * seconds } });
  near(loadBetween(before, after, self).throttledCores, 0.2);
  const blind = { ...before, processes: undefined };
  assert.deepEqual(loadBetween(blind, { ...after, processes: undefined }, self), { throttledCores: 0.2 });
  assert.match(throttling(before, after)[0]!, /the CPU quota kept back 0\.20 processors’ worth of time/);
  assert.deepEqual(throttling(before, { ...after, quota: { ...after.quota!, throttledNs: 0.01 * seconds } }), []);
});

const group = '/sys/fs/cgroup/pod/a';
const unified = {
  '/proc/self/cgroup': '0::/pod/a',
  '/sys/fs/cgroup/cgroup.controllers': 'cpu',
  '/sys/fs/cgroup/pod/cpu.max': '400000 100000',
  '/sys/fs/cgroup/pod/cpu.stat': 'usage_usec 9000\nnr_periods 5\nnr_throttled 1\nthrottled_usec 30',
  [`${group}/cpu.max`]: '150000 100000',
  [`${group}/cpu.stat`]: 'usage_usec 4000\nuser_usec 3000\nnr_throttled 2\nthrottled_usec 500',
};

test('a snapshot holds the use of the tightest group and the stops of all', () => {
  const read = (files: Readonly<Record<string, string>>) => snapshotQuota((path) => files[path]);
  assert.deepEqual(read(unified), { cpus: 1.5, usedNs: 4_000_000, throttledNs: 530_000 });
  const silent = Object.fromEntries(Object.entries(unified).filter(([path]) => !path.endsWith('cpu.stat')));
  assert.deepEqual(read(silent), { cpus: 1.5, usedNs: undefined, throttledNs: undefined });
  assert.deepEqual(read({ ...unified, [`${group}/cpu.stat`]: 'throttled_usec many' }), {
    cpus: 1.5,
    usedNs: undefined,
    throttledNs: 30_000,
  });
  assert.equal(read({}), undefined);
});

test('version 1 counts nanoseconds, and its use may be in a hierarchy of its own', () => {
  const cpu = '/sys/fs/cgroup/cpu/docker/a';
  const files: Record<string, string> = {
    '/proc/self/cgroup': '3:cpuacct:/docker/a\n2:cpu:/docker/a',
    [`${cpu}/cpu.cfs_quota_us`]: '200000',
    [`${cpu}/cpu.cfs_period_us`]: '100000',
    [`${cpu}/cpu.stat`]: 'nr_periods 9\nnr_throttled 2\nthrottled_time 700',
    '/sys/fs/cgroup/cpuacct/docker/a/cpuacct.usage': '1234',
  };
  assert.deepEqual(
    snapshotQuota((path) => files[path]),
    { cpus: 2, usedNs: 1234, throttledNs: 700 },
  );
  files[`${cpu}/cpuacct.usage`] = '99';
  assert.equal(snapshotQuota((path) => files[path])!.usedNs, 99);
});

test('this machine is read without a fault', () => {
  assert.deepEqual(throttling(quotaLoad(), quotaLoad()), []);
});
