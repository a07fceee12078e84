import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { deviceSchemaName } from '../src/contract/device.ts';
import { whatif } from '../src/operations/whatif.ts';
import { attnswap, emptyFolder } from './run-cli.ts';

const example = fileURLToPath(new URL('../devices/npu.json', import.meta.url));
const folder = emptyFolder();

/** Round numbers, so that the arithmetic can be done in the head. */
const round = {
  schema: deviceSchemaName,
  name: 'round',
  source: 'made up',
  flopsPerSecond: { f16: 1e12 },
  bytesPerSecond: 1e9,
  clockHz: 1e9,
};

function deviceFile(changes: Readonly<Record<string, unknown>>): string {
  const path = join(folder, `${Object.keys(changes).join('-') || 'round'}.json`);
  writeFileSync(path, JSON.stringify({ ...round, ...changes }));
  return path;
}

test('a bound is the longer of arithmetic and traffic, in the rates that the device declares', async () => {
  const shape = { heads: 1, headDim: 64, causal: false, variants: ['dense'] };
  const [short, long] = (await whatif({ device: deviceFile({}), lengths: [100, 10_000], ...shape })).predicted;
  // 2 · 64 FLOPs for each q·k and each p·v; four tensors of 100 × 64 elements of two bytes.
  assert.deepEqual([short!.work.flops, short!.work.bytes], [2 * 2 * 64 * 100 ** 2, 4 * 100 * 64 * 2]);
  assert.deepEqual([short!.computeNs, short!.memoryNs, short!.limitedBy], [2560, 51_200, 'memory']);
  assert.deepEqual([short!.leastNs, short!.cycles, short!.overDense], [51_200, 51_200, 1]);
  assert.equal(long!.limitedBy, 'compute');
  assert.equal(long!.leastNs, 25_600_000);
});

test('a variant is put over dense attention of the same length, and cycles need a clock', async () => {
  const options = { device: deviceFile({ clockHz: undefined }), lengths: [4096], variants: ['window:w=64'] };
  const [found] = (await whatif(options)).predicted;
  const [dense] = (await whatif({ ...options, variants: ['dense'] })).predicted;
  assert.equal(found!.overDense, found!.leastNs / dense!.leastNs);
  assert.ok(found!.overDense < 1);
  assert.equal(found!.cycles, null);
});

test('the printed table says that it is arithmetic, by which formula and from whose rates', async () => {
  const { stdout, exitCode } = await attnswap(['whatif', '--device', example, '--variant', 'dense', '--length', '1024']);
  assert.equal(exitCode, 0);
  assert.match(stdout, /^Arithmetic from declared peak rates, not a measurement\./);
  assert.match(stdout, /max\(FLOPs \/ peak FLOP\/s, bytes \/ peak B\/s\)/);
  assert.ok(stdout.replaceAll(/\s+/g, ' ').includes((JSON.parse(readFileSync(example, 'utf8')) as { source: string }).source));
});

const refusals: Readonly<Record<string, { readonly changes: Readonly<Record<string, unknown>>; readonly says: RegExp }>> = {
  'another schema': { changes: { schema: 'attnswap.device/9' }, says: /schema: .*attnswap\.device\/1/ },
  'no rate at all': { changes: { flopsPerSecond: {} }, says: /flopsPerSecond: expected at least one element type/ },
  'an element type that is not known': { changes: { flopsPerSecond: { int8: 48e12 } }, says: /flopsPerSecond/ },
  'a rate of zero': { changes: { bytesPerSecond: 0 }, says: /bytesPerSecond: Too small/ },
  'a rate beyond any machine': { changes: { clockHz: 1e15 }, says: /clockHz: Too big/ },
  'a misspelt field': { changes: { clock: 1e9 }, says: /Unrecognized key: "clock"/ },
};
for (const [name, { changes, says }] of Object.entries(refusals)) {
  test(`a device file with ${name} is refused by the field`, () =>
    assert.rejects(whatif({ device: deviceFile(changes) }), { code: 'INVALID_DEVICE', message: says }));
}

test('a dtype without a rate, sizes that nothing has, and undefined variants are refused', async () => {
  const device = deviceFile({});
  await assert.rejects(whatif({ device, dtype: 'f32' }), { code: 'UNSUPPORTED', message: /no rate for f32, only f16/ });
  await assert.rejects(whatif({ device, lengths: [2 ** 40] }), { code: 'INVALID_SHAPE', message: /length is 1099511627776/ });
  await assert.rejects(whatif({ device, heads: 3, kvHeads: 2 }), { code: 'INVALID_SHAPE' });
  await assert.rejects(whatif({ device, variants: ['linear:rule=delta'], causal: false }), { code: 'UNSUPPORTED' });
});
