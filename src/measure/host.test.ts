import assert from 'node:assert/strict';
import * as os from 'node:os';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fingerprint } from './fingerprint.ts';
import { hostSchema } from './host-schema.ts';
import { describeHost, probeInto, readTurbo } from './host.ts';
import { quietHost } from './fixtures/quiet-host.ts';

test('this host fits its schema, and two looks at it share a fingerprint', async () => {
  const [first, second] = [await describeHost(), await describeHost()];
  assert.deepEqual(hostSchema.parse(first), first);
  assert.equal(first.cpu.logicalCores, os.cpus().length);
  assert.equal(first.os.kernel, os.release());
  assert.notEqual(first.cpu.model, 'unknown');
  assert.ok(
    first.missing.every(({ part }) => part !== 'cpu' && part !== 'os'),
    JSON.stringify(first.missing),
  );
  assert.deepEqual(fingerprint(first, {}), fingerprint(second, {}));
});

test('a host is recorded without the names of machine and user', async () => {
  const text = JSON.stringify(await describeHost());
  // Only names long enough not to occur by chance.
  for (const name of [os.hostname(), os.userInfo().username].filter(({ length }) => length > 5)) assert.ok(!text.includes(name), name);
});

test('no time at all leaves a record all the same, which says what is missing', async () => {
  const host = await describeHost({ timeoutMs: 0 });
  assert.deepEqual(hostSchema.parse(host), host);
  assert.ok(host.missing.some(({ part, reason }) => part === 'processes' && reason === 'no answer in 0 ms'));
});

test('a part that throws, rejects or hangs is missing, with the reason, and the rest goes on', async () => {
  const missing: { part: string; reason: string }[] = [];
  const probe = probeInto(missing, 20);
  const thrown = probe(
    'thrown',
    () => {
      throw new Error('no such tool');
    },
    'otherwise',
  );
  const rejected = probe('rejected', () => Promise.reject(new Error('denied')), 'otherwise');
  const hung = probe('hung', () => setTimeout(60_000, 'late', { ref: false }), 'otherwise');
  const read = probe('read', async () => 'read', 'otherwise');
  assert.deepEqual(await Promise.all([thrown, rejected, hung, read]), ['otherwise', 'otherwise', 'otherwise', 'read']);
  assert.deepEqual(missing, [
    { part: 'thrown', reason: 'no such tool' },
    { part: 'rejected', reason: 'denied' },
    { part: 'hung', reason: 'no answer in 20 ms' },
  ]);
});

test('turbo is read from whichever driver is there, with its own sense', () => {
  const intel = '/sys/devices/system/cpu/intel_pstate/no_turbo';
  const generic = '/sys/devices/system/cpu/cpufreq/boost';
  const reading = (path: string, text: string) => readTurbo((asked) => (asked === path ? text : undefined));
  assert.deepEqual([reading(intel, '0'), reading(intel, '1')], [true, false]);
  assert.deepEqual([reading(generic, '1'), reading(generic, '0')], [true, false]);
  assert.equal(
    readTurbo(() => undefined),
    null,
  );
});

test('the schema refuses a host with a field of the wrong kind or none', () => {
  assert.deepEqual(hostSchema.parse(quietHost), quietHost);
  assert.equal(hostSchema.safeParse({ ...quietHost, memoryBytes: '64 GiB' }).success, false);
  const { gpus: _, ...without } = quietHost;
  assert.equal(hostSchema.safeParse(without).success, false);
});

test(
  'what tells machines apart needs no helper program on Linux',
  { skip: process.platform === 'linux' ? false : 'not Linux' },
  async () => {
    const path = process.env['PATH'];
    const whole = await describeHost();
    process.env['PATH'] = '/nonexistent';
    const alone = await describeHost().finally(() => (process.env['PATH'] = path));
    assert.deepEqual(fingerprint(alone, {}), fingerprint(whole, {}));
  },
);
