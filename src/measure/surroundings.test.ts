import assert from 'node:assert/strict';
import { test } from 'node:test';
import { surroundings } from './surroundings.ts';

test('what changes how code runs tells processes apart; what does not, does not', () => {
  const of = (env: Record<string, string>) => JSON.stringify(surroundings(env));
  for (const name of [
    'LD_PRELOAD',
    'MALLOC_ARENA_MAX',
    'NODE_OPTIONS',
    'OMP_NUM_THREADS',
    'TF_CPP_X',
    'CUDA_VISIBLE_DEVICES',
    'VK_ICD_FILENAMES',
  ])
    assert.notEqual(of({ [name]: '1' }), of({}), name);
  assert.notEqual(of({ OMP_NUM_THREADS: '1' }), of({ OMP_NUM_THREADS: '2' }));
  assert.equal(of({ OMP_A: '1', OMP_B: '2' }), of({ OMP_B: '2', OMP_A: '1' }));
  assert.equal(of({ HOME: '/a', PWD: '/b' }), of({}));
});

test('on Linux the processors that the process may run on are among it', { skip: process.platform !== 'linux' }, () => {
  assert.match((surroundings() as { processors: string }).processors, /^\d/);
});
