import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Host } from './host-schema.ts';
import { type NoiseCode, noiseCodes, noiseWarnings } from './noise.ts';
import { quietHost } from './fixtures/quiet-host.ts';

function warnings(change: (host: Host) => void) {
  const host = structuredClone(quietHost);
  change(host);
  return noiseWarnings(host);
}

const disturbances: Record<NoiseCode, { disturb: (host: Host) => void; says: RegExp; hints: RegExp }> = {
  load: { disturb: ({ volatile }) => void (volatile.loadAverages = [12.5, 0, 0]), says: /12\.50 .* 32 processors/, hints: /wait/ },
  'heavy-process': {
    disturb: ({ volatile }) => void volatile.heavyProcesses.push({ pid: 4711, name: 'cc1plus', cores: 0.98 }),
    says: /cc1plus \(process 4711\) keeps 0\.98/,
    hints: /4711/,
  },
  governor: { disturb: ({ cpu }) => void (cpu.governor = 'powersave'), says: /"powersave"/, hints: /cpupower/ },
  turbo: { disturb: ({ cpu }) => void (cpu.turbo = true), says: /turbo is on/, hints: /no_turbo/ },
  'cpu-quota': { disturb: ({ container }) => void (container.cpus = 1.5), says: /1\.5 of 32 processors/, hints: /cpuset/ },
  battery: { disturb: ({ volatile }) => void (volatile.battery = { discharging: true, percent: 40 }), says: /40 %/, hints: /plug/ },
  virtualised: { disturb: (host) => void (host.virtualisation = 'KVM'), says: /under KVM/, hints: /calibrate/ },
  thermal: { disturb: ({ volatile }) => void (volatile.temperatureCelsius = 92.4), says: /92 °C/, hints: /cool/ },
};

test('a quiet host gets no warning', () => {
  assert.deepEqual(noiseWarnings(quietHost), []);
});

for (const code of noiseCodes) {
  test(`${code} is warned of, alone, with what to do about it`, () => {
    const { disturb, says, hints } = disturbances[code];
    const [warning, ...others] = warnings(disturb);
    assert.deepEqual(others, []);
    assert.equal(warning?.code, code);
    assert.match(warning.message, says);
    assert.match(warning.hint, hints);
  });
}

test('all at once are told in the order of the codes, every heavy process by itself', () => {
  const all = warnings((host) => {
    for (const { disturb } of Object.values(disturbances)) disturb(host);
    host.volatile.heavyProcesses.push({ pid: 4712, name: 'node', cores: 0.5 });
  });
  assert.deepEqual(
    all.map(({ code }) => code),
    ['load', 'heavy-process', 'heavy-process', ...noiseCodes.slice(2)],
  );
});

test('what could not be read, and what is harmless, is no warning', () => {
  const harmless = warnings((host) => {
    host.cpu.governor = null;
    host.cpu.turbo = null;
    host.volatile.loadAverages = null;
    host.volatile.temperatureCelsius = null;
    host.volatile.battery = { discharging: false, percent: 80 };
  });
  assert.deepEqual(harmless, []);
  assert.deepEqual(
    warnings(({ volatile }) => void (volatile.loadAverages = [6.4, 30, 30])),
    [],
  );
});
