import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createInputs } from '../inputs/create-inputs.ts';
import { drawnOnce, handOn } from './kept-inputs.ts';

const folder = mkdtempSync(join(tmpdir(), 'kept-inputs-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const shape = { batch: 1, heads: 2, kvHeads: 1, queries: 7, keys: 7, headDim: 8, causal: true, dtype: 'f32' as const };
const request = { kind: 'calibrated', shape, seed: 1, wantsGate: true, gateRank: 2 };

/** Draws as a worker that was handed the folder does, and counts how often. */
function drawing() {
  process.env['ATTNSWAP_DRAWN'] = folder;
  let draws = 0;
  const draw = () => {
    draws++;
    return createInputs(request);
  };
  return { draws: () => draws, once: (of: object = request) => drawnOnce(of, draw) };
}

test('inputs are drawn once for each request, and read back bit for bit, each array in memory of its own', async () => {
  const { draws, once } = drawing();
  const drawn = await once();
  const read = await once();
  assert.equal(draws(), 1);
  assert.deepEqual(read, drawn);
  for (const array of [read.inputs.query, read.inputs.key, read.inputs.value, read.inputs.gate!.u])
    assert.deepEqual([array.byteOffset, array.buffer.byteLength], [0, array.byteLength]);
  await once({ ...request, seed: 2 });
  assert.equal(draws(), 2);
});

test('a folder that takes no files, or is gone, costs nothing but time', async () => {
  const { draws, once } = drawing();
  const file = join(folder, 'a-file');
  writeFileSync(file, '');
  for (const place of [file, join(folder, 'gone')]) {
    process.env['ATTNSWAP_DRAWN'] = place;
    assert.equal((await once()).inputs.query.length, 7 * 2 * 8);
  }
  assert.equal(draws(), 2);
  assert.ok(readdirSync(folder).every((name) => !name.includes('.')));
});

test('scripts of two versions of attnswap do not read each other’s', async () => {
  const [own, again, other] = [await handOn('/one/worker.ts'), await handOn('/one/worker.ts'), await handOn('/two/worker.ts')];
  assert.deepEqual(own, again);
  assert.notDeepEqual(own, other);
});
