import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { quotaThreads } from '../../src/processes/cpu-quota.ts';
// Every process of attnswap's has loaded it, and its workers have inherited what it sets.
import '../../src/processes/quiet-environment.ts';
import { setTensorflowEnvironment } from './tensorflow-environment.ts';

const variable = 'TF_NUM_INTRAOP_THREADS';
const users = process.env[variable];
afterEach(() => {
  if (users === undefined) delete process.env[variable];
  else process.env[variable] = users;
});

test('TensorFlow has the threads that are asked for, else those of a quota; what the user set stays', { skip: users !== undefined }, () => {
  setTensorflowEnvironment({ purpose: 'latency', threads: 3 });
  assert.equal(process.env[variable], '3');
  setTensorflowEnvironment({ purpose: 'latency', threads: 1 });
  assert.equal(process.env[variable], '3');
  delete process.env[variable];
  setTensorflowEnvironment({ purpose: 'latency' });
  assert.equal(process.env[variable], quotaThreads('processor')?.toString());
});
