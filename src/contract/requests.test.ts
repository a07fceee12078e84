import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchOf, formatRequests, keptKeys, readRequests } from './requests.ts';

test('a batch reads as counts, new tokens and all tokens, and is written the same way', () => {
  const mixed = [
    { count: 2, queries: 2048, keys: 2048 },
    { count: 32, queries: 1, keys: 1024 },
  ];
  assert.deepEqual(readRequests('2q2k_32q1s1k'), mixed);
  assert.deepEqual(readRequests('q300s4k'), [{ count: 1, queries: 300, keys: 4096 }]);
  assert.equal(formatRequests(mixed), '2q2k_32q1s1k');
  for (const text of ['q2k', 'q1s4k', '8q1s1k', '2q2k_32q1s1k', 'q77', 'q4ks77']) assert.equal(formatRequests(readRequests(text)!), text);
  assert.equal(formatRequests(readRequests('1q1024s2048_q4s4')!), 'q1ks2k_q4');
  for (const text of ['', '512', 'q', 'q0', '0q5', 'q1s', 'q1s4K', 'q1_', 'q1.5k', 'Q2k'])
    assert.equal(readRequests(text), undefined, text);
});

test('requests of one batch end together, and what lies before the shorter ones is padding', () => {
  const requests = readRequests('q3_2q1s2')!;
  assert.deepEqual(batchOf(requests), { batch: 3, queries: 3, keys: 3 });
  assert.deepEqual([...keptKeys(requests)!], [1, 1, 1, 0, 1, 1, 0, 1, 1]);
  assert.equal(keptKeys(readRequests('2q1s4k')!), undefined);
  assert.equal(keptKeys(readRequests('q2s4_q1s4')!), undefined);
});
