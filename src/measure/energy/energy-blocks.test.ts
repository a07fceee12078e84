import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { AttnswapError } from '../../contract/errors.ts';
import { powercapTree } from './fixtures/powercap-tree.ts';
import { measureEnergy } from './energy-blocks.ts';
import type { Surroundings } from './energy-blocks.ts';

const range = 100e6;
const callJoules = 0.5;
const callMs = 50;
const [packageWatts, memoryWatts] = [8, 1];
const [deviceWatts, deviceCallJoules] = [60, 2];

/** The device's counter is renewed at 30, 130, 230 … ms. */
const [renewedMs, firstMs] = [100, 30];

/**
 * Two packages of 8 W each, and memory of 1 W beside each; a call takes 50 ms and 0.5 J of package 0 more, and 2 J of a device of 60 W, whose counter
 * tells what it was when it was last renewed. Time passes as it is told.
 */
function model({ othersShare = (_ms: number): number => 0 } = {}) {
  const tree = powercapTree({
    'intel-rapl:0': { name: 'package-0', microjoules: range - 1e6, range },
    'intel-rapl:0:0': { name: 'dram', microjoules: 0, range },
    'intel-rapl:1': { name: 'package-1', microjoules: 0, range },
    'intel-rapl:1:0': { name: 'dram', microjoules: 0, range },
  });
  const used: Record<string, number> = { 'intel-rapl:0': range / 1e6 - 1, 'intel-rapl:0:0': 0, 'intel-rapl:1': 0, 'intel-rapl:1:0': 0 };
  const time = { ms: 0, ownNs: 0, othersNs: 0, calls: 0 };
  const device = { joules: 1e9, told: 1e9 };
  const passOnDevice = (ms: number, joules: number) => {
    const watts = deviceWatts / 1000 + joules / ms;
    const sinceRenewed = (time.ms + ms + renewedMs - firstMs) % renewedMs;
    device.joules += watts * ms;
    if (sinceRenewed < ms) device.told = device.joules - watts * sinceRenewed;
  };
  const pass = (ms: number, joules = 0) => {
    passOnDevice(ms, joules === 0 ? 0 : deviceCallJoules);
    time.othersNs += othersShare(time.ms) * ms * 1e6;
    time.ms += ms;
    for (const zone of Object.keys(used)) {
      used[zone]! += ((zone.endsWith(':0:0') || zone.endsWith(':1:0') ? memoryWatts : packageWatts) * ms) / 1000;
      if (zone === 'intel-rapl:0') used[zone]! += joules;
      // As the kernel's counter: it starts again at 0.
      tree.write(zone, 'energy_uj', Math.round((used[zone]! * 1e6) % range));
    }
  };
  const subject = {
    run: async () => {
      pass(callMs, callJoules);
      time.ownNs += callMs * 1e6;
      time.calls += 1;
    },
  };
  const deviceEnergy = {
    counter: 'a counter',
    joules: async () => device.told,
  };
  const surroundings: Surroundings = {
    nowNs: () => time.ms * 1e6,
    wait: async (ms) => pass(ms),
    processorNs: () => ({ all: time.ownNs + time.othersNs, own: time.ownNs }),
    processors: 4,
  };
  const vanish = (zone: string) => {
    delete used[zone];
    rmSync(join(tree.folder, zone), { recursive: true });
  };
  return { tree, subject, deviceEnergy, surroundings, time, vanish };
}

test('joules of a call, gross and above idle, through wrapped counters, packages added and memory apart', async () => {
  const { tree, subject, surroundings } = model();
  const energy = await measureEnergy(subject, tree.folder, surroundings);
  assert.ok(!('unavailable' in energy), JSON.stringify(energy));
  assert.deepEqual([energy.packages, energy.blocks, energy.voidBlocks, energy.calls], [['package-0', 'package-1'], 5, 0, 200]);
  const near = (got: number, expected: number) => assert.ok(Math.abs(got - expected) < 1e-6, `${got}, expected ${expected}`);
  near(energy.aboveIdleJoules.mean, callJoules);
  near(energy.grossJoules.mean, callJoules + (2 * packageWatts * callMs) / 1000);
  near(energy.memoryJoules!.mean, (2 * memoryWatts * callMs) / 1000);
  near(energy.idleWatts, 2 * packageWatts);
  assert.ok(energy.grossJoules.low <= energy.grossJoules.mean && energy.grossJoules.mean <= energy.grossJoules.high);
});

test('a device with a counter of its own is measured in the same blocks, and alone where the packages have none', async () => {
  const near = (got: number, expected: number) => assert.ok(Math.abs(got - expected) < 1e-5, `${got}, expected ${expected}`);
  for (const hasPackages of [true, false]) {
    const { tree, subject, deviceEnergy, surroundings } = model();
    const energy = await measureEnergy({ ...subject, deviceEnergy }, hasPackages ? tree.folder : '/nonexistent', surroundings);
    assert.equal('unavailable' in energy, !hasPackages);
    const { device } = energy;
    assert.ok(device !== undefined && !('unavailable' in device));
    assert.deepEqual([device.counter, device.blocks, device.calls], ['a counter', 5, 200]);
    near(device.aboveIdleJoules.mean, deviceCallJoules);
    near(device.grossJoules.mean, deviceCallJoules + (deviceWatts * callMs) / 1000);
    near(device.idleWatts, deviceWatts);
    if (!('unavailable' in energy)) near(energy.aboveIdleJoules.mean, callJoules);
  }
});

test('calls are repeated without what timing them puts beside them, where that can be left out', async () => {
  const { tree, subject, surroundings, time } = model();
  const timed = { run: () => assert.fail('a timed call'), repeat: (calls: number) => runs(subject, calls) };
  const energy = await measureEnergy(timed, tree.folder, surroundings);
  assert.ok(!('unavailable' in energy), JSON.stringify(energy));
  assert.ok(Math.abs(energy.aboveIdleJoules.mean - callJoules) < 1e-6);
  assert.ok(energy.calls < time.calls);
});

async function runs({ run }: { run(): Promise<void> }, calls: number): Promise<void> {
  for (let call = 0; call < calls; call++) await run();
}

test('a device’s counter that fails costs the packages no figure, and is told', async () => {
  const { tree, subject, deviceEnergy, surroundings, time } = model();
  const failing = {
    counter: 'a counter',
    async joules() {
      if (time.ms > 9000) throw new AttnswapError('UNSUPPORTED', 'the GPU is lost');
      return deviceEnergy.joules();
    },
  };
  const energy = await measureEnergy({ ...subject, deviceEnergy: failing }, tree.folder, surroundings);
  assert.ok(!('unavailable' in energy), JSON.stringify(energy));
  assert.ok(Math.abs(energy.aboveIdleJoules.mean - callJoules) < 1e-6);
  assert.deepEqual(energy.device, { counter: 'a counter', unavailable: 'the GPU is lost' });
});

test('a block beside which others used more than 5 % of the processors is void', async () => {
  const { tree, subject, surroundings } = model({ othersShare: (ms) => (ms > 2500 && ms < 2900 ? 4 : 0) });
  const energy = await measureEnergy(subject, tree.folder, surroundings);
  assert.ok(!('unavailable' in energy));
  assert.deepEqual([energy.blocks, energy.voidBlocks], [4, 1]);
  const busy = model({ othersShare: () => 0.5 });
  const refused = await measureEnergy(busy.subject, busy.tree.folder, busy.surroundings);
  assert.ok('unavailable' in refused);
  assert.match(refused.unavailable, /in 5 of 5 blocks other processes used more than 5 % of the processors; stop other work/);
});

test('a counter that vanishes meanwhile, or was never there, is a reason and no figure', async () => {
  const { tree, subject, surroundings, time, vanish } = model();
  const vanishing = {
    run: async () => {
      await subject.run();
      if (time.calls === 60) vanish('intel-rapl:1');
    },
  };
  const energy = await measureEnergy(vanishing, tree.folder, surroundings);
  assert.ok('unavailable' in energy);
  assert.match(energy.unavailable, /the counter of package-1 cannot be read \(.*: ENOENT\)/);
  const never = await measureEnergy(subject, '/nonexistent', surroundings);
  assert.ok('unavailable' in never);
  assert.match(never.unavailable, /no counter of a processor package; .*virtual machines/);
});
