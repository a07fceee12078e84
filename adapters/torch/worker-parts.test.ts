import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { workerFolder } from './adapter.ts';
import { findPython } from './python.ts';

// Parts of the worker with a stand-in for PyTorch, which needs no GPU, nor PyTorch itself.

const skip = spawnSync(findPython(), ['--version']).status === 0 ? false : 'there is no Python';

function python(script: string): string[] {
  const start = 'import sys; sys.path.insert(0, sys.argv[1])\nfrom types import SimpleNamespace as Thing\n';
  const { status, stdout, stderr } = spawnSync(findPython(), ['-B', '-c', start + script, workerFolder], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout.trim().split('\n');
}

const onGpu = `
from attnswap_torch import device, timing
event = Thing(record=lambda: print('clock'), elapsed_time=lambda end: 1)
cuda = Thing(Event=lambda enable_timing: event, synchronize=lambda device: print('synchronize'))
timing.torch = device.torch = Thing(cuda=cuda)
timing.cache_flush = lambda device: Thing(zero_=lambda: print('flush'))
prepared = Thing(device=Thing(type='cuda'), call=lambda: print('call'))
`;

test('on a GPU, the cache is emptied before each timed call, and not where energy is counted', { skip }, () => {
  const timed = ['flush', 'clock', 'call', 'clock'];
  assert.deepEqual(python(`${onGpu}timing.sample(prepared, 2)`), [...timed, ...timed, 'synchronize']);
  assert.deepEqual(python(`${onGpu}timing.sample(prepared, 2, 'energy')`), ['call', 'call', 'synchronize']);
});

const halfPrecision = (available: string, verbose: string) => `
from attnswap_torch import precision
def verbose(level): ${verbose}
mkldnn = Thing(is_available=lambda: ${available}, verbose=verbose, VERBOSE_ON=1)
precision.torch = Thing(backends=Thing(mkldnn=mkldnn))
precision.names = {'half': 'bf16'}
print(precision.half_precision_flags(lambda: None, 'half'))`;

test('what oneDNN ran is not asked of a PyTorch without it, and where it cannot be told, that is the flag', { skip }, () => {
  const fails = `raise RuntimeError('built without oneDNN')`;
  assert.deepEqual(python(halfPrecision('False', fails)), ['[]']);
  assert.deepEqual(python(halfPrecision('True', fails)), ["['whether bf16 ran natively is unknown: RuntimeError']"]);
});
