import { availableParallelism } from 'node:os';
import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import type { DeviceEnergy, PreparedKernel } from '../../contract/adapter.ts';
import type { Energy } from '../../contract/cell.ts';
import { AttnswapError } from '../../contract/errors.ts';
import { meanInterval } from '../../statistics/student.ts';
import { cpuTimeNs } from '../cpu-time.ts';
import { findEnergyZones, joulesBetween, readZones, whyUnavailable } from './powercap.ts';
import type { EnergyZones } from './powercap.ts';

type Subject = Pick<PreparedKernel, 'run' | 'pid' | 'repeat' | 'deviceEnergy'>;

/** What the blocks take from the machine. */
export interface Surroundings {
  nowNs(): number;
  wait(ms: number): Promise<void>;
  /** Time of all processors, and of the subject's processes, nanoseconds so far; undefined where the system does not tell. */
  processorNs(subject: Subject): { readonly all: number; readonly own: number } | undefined;
  readonly processors: number;
}

/** What was used while something ran, or nothing did. */
interface Stretch {
  readonly seconds: number;
  readonly calls: number;
  readonly packageJoules: number;
  readonly memoryJoules: number;
  /** NaN where the device has no counter, or it could not be read. */
  readonly deviceJoules: number;
  /** Whether others used more of the processors than {@link quietShare}. */
  readonly disturbed: boolean;
}

const blockCount = 5;
const blockMs = 2000;
/**
 * Passes before a counter is read, in the state that is measured, calling or idling: a GPU's counter is renewed some ten times a second, so that a
 * reading tells of up to a tenth of a second before it. Runtimes' threads also spin for a moment after a call, which is not idling.
 */
const settleMs = 200;
/** Of all processors, by others: above it a block is void. */
const quietShare = 0.05;
/** Blocks that an interval needs. */
const fewest = 3;
/** Beyond each end of a 95 % interval. */
const tail = 0.025;

/**
 * Energy of one call of what has run before: five blocks of calls for two seconds each, between stretches of idling in the same process. A value, also
 * where nothing can be measured: then with the reason. A device with a counter of its own is measured in the same blocks; where it cannot be read, the
 * packages are measured nevertheless.
 */
export async function measureEnergy(subject: Subject, folder?: string, surroundings: Surroundings = machine): Promise<Energy> {
  const device = subject.deviceEnergy && faultKept(subject.deviceEnergy);
  try {
    const zones = zonesOrReason(folder);
    if ('unavailable' in zones && device === undefined) return zones;
    const blocks = await quietBlocks({ zones: 'unavailable' in zones ? noZones : zones, device }, subject, surroundings);
    return {
      ...('unavailable' in zones ? zones : packageFigures(zones, blocks)),
      ...(device && { device: deviceFigures(device, blocks) }),
    };
  } catch (error) {
    const unavailable = whyUnavailable(error);
    return { unavailable, ...(device && { device: { counter: device.counter, unavailable } }) };
  }
}

/** A device's counter that no longer counts once it could not be read, and says why. */
interface DeviceCounter extends DeviceEnergy {
  /** Undefined as long as it could be read. */
  fault(): string | undefined;
}

interface Counters {
  readonly zones: EnergyZones;
  readonly device: DeviceCounter | undefined;
}

function faultKept(energy: DeviceEnergy): DeviceCounter {
  let fault: string | undefined;
  return {
    counter: energy.counter,
    fault: () => fault,
    async joules() {
      if (fault !== undefined) return Number.NaN;
      try {
        return await energy.joules();
      } catch (error) {
        if (!(error instanceof AttnswapError)) throw error;
        fault = error.message;
        return Number.NaN;
      }
    },
  };
}

const noZones: EnergyZones = { packages: [], memory: [] };

function zonesOrReason(folder: string | undefined): EnergyZones | { readonly unavailable: string } {
  try {
    return findEnergyZones(folder);
  } catch (error) {
    return { unavailable: whyUnavailable(error) };
  }
}

/** Calls, and the idling before and after them. */
interface Block {
  readonly before: Stretch;
  readonly busy: Stretch;
  readonly after: Stretch;
}

/** The blocks that nothing disturbed. @throws UNSUPPORTED where these are too few */
async function quietBlocks(counters: Counters, subject: Subject, surroundings: Surroundings): Promise<Block[]> {
  const idleFor = async (ms: number) => {
    await surroundings.wait(ms);
    return 0;
  };
  const callsFor = (ms: number) => callFor(ms, subject, surroundings);
  const settled = async (act: (ms: number) => Promise<number>) => {
    await act(settleMs);
    return stretch(counters, subject, surroundings, () => act(blockMs));
  };
  const measured: Block[] = [];
  let before = await settled(idleFor);
  for (let block = 0; block < blockCount; block++) {
    const busy = await settled(callsFor);
    const after = await settled(idleFor);
    measured.push({ before, busy, after });
    before = after;
  }
  const valid = measured.filter((each) => ![each.before, each.busy, each.after].some(({ disturbed }) => disturbed));
  if (valid.length >= fewest) return valid;
  const share = `${100 * quietShare} %`;
  throw new AttnswapError(
    'UNSUPPORTED',
    `in ${blockCount - valid.length} of ${blockCount} blocks other processes used more than ${share} of the processors`,
    { hint: 'stop other work, then measure again' },
  );
}

function packageFigures(zones: EnergyZones, blocks: readonly Block[]) {
  return {
    method: 'powercap' as const,
    packages: zones.packages.map(({ name }) => name),
    ...figuresOf(blocks, 'packageJoules'),
    ...(zones.memory.length > 0 && { memoryJoules: figuresOf(blocks, 'memoryJoules').grossJoules }),
  };
}

function deviceFigures({ counter, fault }: DeviceCounter, blocks: readonly Block[]) {
  const unavailable = fault();
  return { counter, ...(unavailable === undefined ? figuresOf(blocks, 'deviceJoules') : { unavailable }) };
}

/** What one counter, or the sum of several, says of a call. */
function figuresOf(blocks: readonly Block[], counted: 'packageJoules' | 'memoryJoules' | 'deviceJoules') {
  const per = (joules: (block: Block) => number) => {
    const { mean, low, high } = meanInterval(
      blocks.map((block) => joules(block) / block.busy.calls),
      tail,
    );
    return { mean, low, high };
  };
  const idleWatts = ({ before, after }: Block) => (before[counted] + after[counted]) / (before.seconds + after.seconds);
  return {
    blocks: blocks.length,
    voidBlocks: blockCount - blocks.length,
    calls: blocks.reduce((sum, { busy }) => sum + busy.calls, 0),
    grossJoules: per(({ busy }) => busy[counted]),
    aboveIdleJoules: per((block) => block.busy[counted] - idleWatts(block) * block.busy.seconds),
    idleWatts: blocks.reduce((sum, block) => sum + idleWatts(block), 0) / blocks.length,
  };
}

async function stretch(
  { zones, device }: Counters,
  subject: Subject,
  surroundings: Surroundings,
  act: () => Promise<number>,
): Promise<Stretch> {
  const look = async () => ({
    device: (await device?.joules()) ?? Number.NaN,
    ns: surroundings.nowNs(),
    cpu: surroundings.processorNs(subject),
    packages: readZones(zones.packages),
    memory: readZones(zones.memory),
  });
  const start = await look();
  const calls = await act();
  const end = await look();
  const elapsedNs = end.ns - start.ns;
  const others = start.cpu === undefined || end.cpu === undefined ? 0 : end.cpu.all - start.cpu.all - (end.cpu.own - start.cpu.own);
  return {
    seconds: elapsedNs / 1e9,
    calls,
    packageJoules: joulesBetween(zones.packages, start.packages, end.packages),
    memoryJoules: joulesBetween(zones.memory, start.memory, end.memory),
    deviceJoules: end.device - start.device,
    disturbed: others > quietShare * surroundings.processors * elapsedNs,
  };
}

/** Calls until the time is over, and how many. Batches of a worker's calls, so that nothing of ours runs in between. */
async function callFor(ms: number, subject: Subject, { nowNs }: Surroundings): Promise<number> {
  const end = nowNs() + 1e6 * ms;
  let calls = 0;
  for (let batch = 1; nowNs() < end; batch = Math.min(2 * batch, 64)) {
    if (subject.repeat === undefined) {
      await subject.run();
      calls += 1;
      continue;
    }
    await subject.repeat(batch);
    calls += batch;
  }
  return calls;
}

const machine: Surroundings = {
  nowNs: () => Number(process.hrtime.bigint()),
  wait: (ms) => setTimeout(ms),
  processorNs({ pid }) {
    const all = allProcessorsNs();
    const own = [undefined, ...(pid === undefined ? [] : [pid])].map((each) => cpuTimeNs(each));
    if (all === undefined || own.includes(undefined)) return undefined;
    return { all, own: own.reduce<number>((sum, value) => sum + value!, 0) };
  },
  processors: availableParallelism(),
};

/** Busy time of all processors since the system started, proc(5): /proc/stat counts hundredths of a second. */
function allProcessorsNs(): number | undefined {
  try {
    const [first = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
    const [user, nice, system, , , interrupts, soft, steal] = first.trim().split(/\s+/).slice(1).map(Number);
    return 1e7 * (user! + nice! + system! + interrupts! + soft! + steal!);
  } catch {
    return undefined;
  }
}
