import assert from 'node:assert/strict';
import { test } from 'node:test';
import { containerLimits } from './container-limits.ts';

function limits(files: Record<string, string>) {
  return containerLimits((path) => files[path]);
}

test('version 2: quota over period, and bytes', () => {
  const files = {
    '/proc/self/cgroup': '0::/',
    '/sys/fs/cgroup/cgroup.controllers': 'cpuset cpu memory',
    '/sys/fs/cgroup/cpu.max': '150000 100000',
    '/sys/fs/cgroup/memory.max': '4294967296',
  };
  assert.deepEqual(limits(files), { cgroup: 'v2', cpus: 1.5, memoryBytes: 2 ** 32 });
});

test('version 2: the tightest of a group and its ancestors holds, and «max» is no limit', () => {
  const files = {
    '/proc/self/cgroup': '0::/ci.slice/job.scope',
    '/sys/fs/cgroup/cgroup.controllers': 'cpu memory',
    '/sys/fs/cgroup/ci.slice/cpu.max': '200000 100000',
    '/sys/fs/cgroup/ci.slice/job.scope/cpu.max': 'max 100000',
    '/sys/fs/cgroup/ci.slice/memory.max': '8589934592',
    '/sys/fs/cgroup/ci.slice/job.scope/memory.max': '2147483648',
  };
  assert.deepEqual(limits(files), { cgroup: 'v2', cpus: 2, memoryBytes: 2 ** 31 });
});

const version1 = '12:cpu,cpuacct:/docker/abc\n8:memory:/docker/abc\n0::/';

test('version 1: the mount is the group where the path of the host is not visible', () => {
  const files = {
    '/proc/self/cgroup': version1,
    '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '50000',
    '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000',
    '/sys/fs/cgroup/memory/memory.limit_in_bytes': '1073741824',
  };
  assert.deepEqual(limits(files), { cgroup: 'v1', cpus: 0.5, memoryBytes: 2 ** 30 });
});

test('version 1: a quota of −1 and the largest page count are no limits', () => {
  const files = {
    '/proc/self/cgroup': version1,
    '/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us': '-1',
    '/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us': '100000',
    '/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes': '9223372036854771712',
  };
  assert.deepEqual(limits(files), { cgroup: 'v1', cpus: null, memoryBytes: null });
});

test('without control groups there are no limits', () => {
  assert.deepEqual(limits({}), { cgroup: null, cpus: null, memoryBytes: null });
});
