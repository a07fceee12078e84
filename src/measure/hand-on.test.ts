import assert from 'node:assert/strict';
import { test } from 'node:test';
import { handOn } from './hand-on.ts';

test('scripts of two versions of attnswap do not read each other’s', async () => {
  const [own, again, other] = [await handOn('/one/worker.ts'), await handOn('/one/worker.ts'), await handOn('/two/worker.ts')];
  assert.deepEqual(own, again);
  assert.notDeepEqual(own, other);
});
