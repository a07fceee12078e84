import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { controlGroups } from './control-groups.ts';
import { cpuQuotas, processorShare, quotaThreads, threadCount, threadSettings } from './cpu-quota.ts';

type Files = Readonly<Record<string, string>>;
const reading = (files: Files) => (path: string) => files[path];
const online = '/sys/devices/system/cpu/online';
/** A process that may run on these processors of a host's 16, in a group of version 2. */
const unified = (group: string, quotas: Files, list = '0-127'): Files => ({
  [online]: '0-15',
  '/proc/self/cgroup': `0::${group}`,
  '/proc/self/status': `Name:\tnode\nCpus_allowed_list:\t${list}`,
  '/sys/fs/cgroup/cgroup.controllers': 'cpuset cpu memory',
  ...Object.fromEntries(Object.entries(quotas).map(([at, text]) => [`/sys/fs/cgroup${at}/cpu.max`, text])),
});

/** What is read of a tree: quotas by folder, the share, and the threads that are left to a runtime that takes one per processor. */
function read(files: Files) {
  const quotas = cpuQuotas(reading(files)).map(({ folder, cpus }) => [folder, cpus]);
  return { quotas, share: processorShare(reading(files)), threads: quotaThreads('processor', reading(files)) };
}

test('the smallest quota of a group and its ancestors counts, and threads are as many as it feeds, one at least', () => {
  const nested = unified('/pod/container', { '/pod': '150000 100000', '/pod/container': '25000 10000', '': 'max 100000' });
  assert.deepEqual(read(nested), {
    quotas: [
      ['/sys/fs/cgroup/pod/container', 2.5],
      ['/sys/fs/cgroup/pod', 1.5],
    ],
    share: 1.5,
    threads: 1,
  });
  assert.deepEqual(read(unified('/', { '': '30000 100000' })), { quotas: [['/sys/fs/cgroup', 0.3]], share: 0.3, threads: 1 });
});

/** Two threads on each of eight cores: processors n and n + 8. */
const siblings = Object.fromEntries(
  Array.from({ length: 16 }, (_, place) => [
    `/sys/devices/system/cpu/cpu${place}/topology/thread_siblings_list`,
    `${place % 8},${(place % 8) + 8}`,
  ]),
);
const left = (cpus: number, list = '0-15') => {
  const read = reading({ ...siblings, ...unified('/', { '': `${cpus * 100_000} 100000` }, list) });
  return { cores: quotaThreads('core', read), processors: quotaThreads('processor', read), settings: threadSettings(read) };
};

test('a quota only takes threads away: where a runtime starts no more by itself, none are set', () => {
  assert.deepEqual(left(6.5), { cores: 6, processors: 6, settings: { OMP_NUM_THREADS: '6', ATTNSWAP_QUOTA_THREADS: '6' } });
  // Enough for the cores, but not for all their threads.
  assert.deepEqual(left(12), { cores: undefined, processors: 12, settings: { OMP_NUM_THREADS: '8' } });
  for (const loose of [16, 64]) assert.deepEqual(left(loose), { cores: undefined, processors: undefined, settings: {} });
});

test('of a quota beyond the processors that the process may run on, those count, and a core once', () => {
  const { share, threads } = read(unified('/', { '': '6400000 100000' }, '0'));
  assert.deepEqual([share, threads], [1, undefined]);
  // Two cores, with both threads of each.
  assert.deepEqual(left(3, '0-1,8-9'), { cores: undefined, processors: 3, settings: { OMP_NUM_THREADS: '2' } });
  assert.deepEqual(left(1, '0-1,8-9'), { cores: 1, processors: 1, settings: { OMP_NUM_THREADS: '1', ATTNSWAP_QUOTA_THREADS: '1' } });
  assert.equal(threadCount(reading(unified('/', { '': '6400000 100000' }, '0,3,200'))), 2);
});

test('version 1: quota and period are files of their own', () => {
  const files = {
    [online]: '0-15',
    '/proc/self/cgroup': '4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n0::/',
    '/sys/fs/cgroup/cpu/docker/cpu.cfs_quota_us': '50000',
    '/sys/fs/cgroup/cpu/docker/cpu.cfs_period_us': '100000',
    '/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us': '-1',
    '/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us': '100000',
  };
  assert.deepEqual(read(files), { quotas: [['/sys/fs/cgroup/cpu/docker', 0.5]], share: 0.5, threads: 1 });
});

test('without a quota the system’s own count holds, and nothing is set', () => {
  const none = [
    {},
    unified('/a', { '/a': 'max 100000' }),
    unified('/a', {}),
    // Damaged: no number, no period, a period of 0, several lines.
    ...['', 'much 100000', '100000', '100000 0', '-5 100000', 'NaN NaN'].map((text) => unified('/a', { '/a': text })),
    { '/proc/self/cgroup': 'nonsense', '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '50000', '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000' },
  ];
  for (const files of none) {
    assert.deepEqual(read(files), { quotas: [], share: availableParallelism(), threads: undefined }, JSON.stringify(files));
    assert.deepEqual(threadSettings(reading(files)), {});
  }
});

test('groups of another namespace, and names with colons and dots, lead nowhere else', () => {
  const folders = (group: string) => controlGroups(reading(unified(group, {})))!.folders('cpu');
  assert.deepEqual(folders('/../../other'), ['/sys/fs/cgroup/other', '/sys/fs/cgroup']);
  assert.deepEqual(folders('/a:b/c..d'), ['/sys/fs/cgroup/a:b/c..d', '/sys/fs/cgroup/a:b', '/sys/fs/cgroup']);
  assert.deepEqual(folders(''), ['/sys/fs/cgroup']);
});
