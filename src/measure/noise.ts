import { digits } from '../text/figures.ts';
import type { Host } from './host-schema.ts';

/** What can make a machine's timings wander. Codes are stable. */
export const noiseCodes = ['load', 'heavy-process', 'governor', 'turbo', 'cpu-quota', 'battery', 'virtualised', 'thermal'] as const;
export type NoiseCode = (typeof noiseCodes)[number];

export interface NoiseWarning {
  readonly code: NoiseCode;
  readonly message: string;
  /** What to do about it. */
  readonly hint: string;
}

/** From here on processors of most makers begin to slow down within a long run. */
const hotCelsius = 85;
/** Share of all processors that the last minute's load may take before it is told. */
const quietLoad = 0.2;

/** What about a host will disturb measurements, in the order of {@link noiseCodes}. Says nothing of parts that could not be read. */
export function noiseWarnings(host: Host): NoiseWarning[] {
  return [...activity(host), ...frequency(host), ...quota(host), ...power(host), ...virtualisation(host), ...heat(host)];
}

/** Whether other work was seen, by a warning of {@link noiseWarnings}. */
export function isBusy(host: Host): boolean {
  return activity(host).length > 0;
}

function activity({ volatile, cpu }: Host): NoiseWarning[] {
  const warnings: NoiseWarning[] = [];
  const load = volatile.loadAverages?.[0] ?? 0;
  if (load > quietLoad * cpu.logicalCores) {
    const message = `load average ${load.toFixed(2)} over the last minute on ${cpu.logicalCores} processors`;
    warnings.push({ code: 'load', message, hint: 'stop other work, or wait a minute if it has just finished' });
  }
  for (const { name, pid, cores } of volatile.heavyProcesses) {
    const message = `${name} (process ${pid}) keeps ${cores.toFixed(2)} processors busy`;
    warnings.push({ code: 'heavy-process', message, hint: `stop or pause process ${pid} while measuring` });
  }
  return warnings;
}

function frequency({ cpu }: Host): NoiseWarning[] {
  const warnings: NoiseWarning[] = [];
  if (cpu.governor !== null && cpu.governor !== 'performance') {
    const message = `the frequency governor is "${cpu.governor}": clock speed follows load`;
    warnings.push({ code: 'governor', message, hint: 'sudo cpupower frequency-set -g performance' });
  }
  if (cpu.turbo === true) {
    const message = 'turbo is on: clock speed depends on temperature and on how many cores are busy';
    const hint =
      'echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo, or echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost';
    warnings.push({ code: 'turbo', message, hint });
  }
  return warnings;
}

function quota({ container, cpu }: Host): NoiseWarning[] {
  if (container.cpus === null) return [];
  const message = `a quota allows the time of ${digits(container.cpus)} of ${cpu.logicalCores} processors: once it is used up, every thread stops until the next period`;
  return [
    { code: 'cpu-quota', message, hint: 'pin the container to whole processors (--cpuset-cpus) instead of setting a quota (--cpus)' },
  ];
}

function power({ volatile: { battery } }: Host): NoiseWarning[] {
  if (!battery?.discharging) return [];
  return [{ code: 'battery', message: `running on battery (${battery.percent} %)`, hint: 'plug the machine in' }];
}

function virtualisation(host: Host): NoiseWarning[] {
  if (host.virtualisation === null) return [];
  const message = `runs under ${host.virtualisation}: other guests affect the timings and cannot be seen from here`;
  return [{ code: 'virtualised', message, hint: 'attnswap calibrate measures how much; a dedicated machine is quieter' }];
}

function heat({ volatile: { temperatureCelsius } }: Host): NoiseWarning[] {
  if (temperatureCelsius === null || temperatureCelsius < hotCelsius) return [];
  const message = `the processor is at ${Math.round(temperatureCelsius)} °C and may slow down`;
  return [{ code: 'thermal', message, hint: 'let it cool down, improve the cooling or cap the clock speed' }];
}
