import type { Host } from './host-schema.ts';

/** A made-up machine for tests, on which nothing disturbs a measurement. */
export const quietHost: Host = {
  cpu: {
    model: 'AMD Ryzen 9 7950X (family 25, model 97, stepping 2)',
    physicalCores: 16,
    logicalCores: 32,
    caches: { l1dBytes: 32768, l1iBytes: 32768, l2Bytes: 1048576, l3Bytes: 67108864 },
    governor: 'performance',
    turbo: false,
  },
  memoryBytes: 66_300_000_000,
  gpus: [
    { model: 'NVIDIA GeForce RTX 4090', vendor: 'NVIDIA', driver: '550.54.14', memoryBytes: 25_757_220_864 },
    { model: 'Raphael', vendor: 'AMD', driver: null, memoryBytes: null },
  ],
  os: { platform: 'linux', arch: 'x64', distribution: 'Debian GNU/Linux', release: '12', kernel: '6.1.0-21-amd64' },
  container: { cgroup: 'v2', cpus: null, memoryBytes: null },
  availableCores: 32,
  virtualisation: null,
  volatile: {
    cpuMhz: 4500,
    bootTime: '2026-01-01T00:00:00.000Z',
    freeMemoryBytes: 60_000_000_000,
    loadAverages: [0.1, 0.2, 0.3],
    heavyProcesses: [],
    battery: null,
    temperatureCelsius: 45,
  },
  missing: [],
};
