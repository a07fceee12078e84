import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { emptyFolder } from '../../tests/run-cli.ts';
import { workerFolder } from './adapter.ts';
import { findPython } from './python.ts';

/** NVML's functions as its header declares them: a GPU at one address that takes 1.5 J between two readings, or one without a counter. */
const library = `
#include <string.h>
#include <stdlib.h>
static int initialized = 0, board;
int nvmlInit_v2(void) { initialized = 1; return 0; }
int nvmlDeviceGetHandleByPciBusId_v2(const char *address, void **device) {
  if (!initialized) return 1;
  if (strcmp(address, "00000000:3b:00.0")) return 6;
  *device = &board;
  return 0;
}
#ifndef NO_COUNTER
int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *millijoules) {
  static unsigned long long taken = 5000000000000ull;
  if (getenv("BEFORE_VOLTA")) return 3;
  if (device != &board) return 2;
  *millijoules = taken += 1500;
  return 0;
}
#endif
#ifndef NO_WORDS
const char *nvmlErrorString(int code) { return code == 3 ? "Not Supported" : code == 6 ? "Not Found" : "Other"; }
#endif
`;
const script = `
import sys; sys.path.insert(0, sys.argv[1])
from attnswap_torch.nvml import EnergyCounter
try:
    counter = EnergyCounter(sys.argv[2])
    before = counter.joules()
    print(before, counter.joules() - before)
except OSError as error:
    print(error)`;

function build(...flags: readonly string[]) {
  const folder = emptyFolder();
  writeFileSync(join(folder, 'nvml.c'), library);
  return { folder, ...spawnSync('cc', [...flags, '-shared', '-fPIC', '-o', join(folder, 'libnvidia-ml.so.1'), join(folder, 'nvml.c')]) };
}

const built = build();
const skip =
  built.status !== 0 ? 'there is no C compiler' : spawnSync(findPython(), ['--version']).status === 0 ? false : 'there is no Python';

function read(address: string, env: Readonly<Record<string, string>> = {}): string {
  const { stdout } = spawnSync(findPython(), ['-B', '-c', script, workerFolder, address], {
    encoding: 'utf8',
    env: { ...process.env, LD_LIBRARY_PATH: built.folder, ...env },
  });
  return stdout.trim();
}

test('a GPU’s counter is read by its address, beyond 32 bits, in joules', { skip }, () => {
  assert.equal(read('00000000:3b:00.0'), '5000000001.5 1.5');
});

test('a GPU that is not there, one without a counter, and a machine without NVML are told in words', { skip }, () => {
  assert.equal(read('00000000:af:00.0'), 'nvmlDeviceGetHandleByPciBusId_v2: Not Found');
  assert.equal(read('00000000:3b:00.0', { BEFORE_VOLTA: '1' }), 'nvmlDeviceGetTotalEnergyConsumption: Not Supported');
  // What a machine says depends on what it has of NVIDIA's: no library, no driver, or no GPU at this address.
  assert.match(read('00000000:af:1f.0', { LD_LIBRARY_PATH: '' }), /[A-Za-z]{3}/);
});

test('a driver whose library lacks one of the functions has no counter, in words', { skip }, () => {
  for (const [flag, name] of Object.entries({ NO_COUNTER: 'nvmlDeviceGetTotalEnergyConsumption', NO_WORDS: 'nvmlErrorString' })) {
    const { folder } = build(`-D${flag}`);
    assert.equal(read('00000000:3b:00.0', { LD_LIBRARY_PATH: folder }), `this libnvidia-ml.so.1 has no ${name}`);
  }
});
