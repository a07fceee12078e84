import assert from 'node:assert/strict';
import { test } from 'node:test';
import { calibrate, calibrationFor, refusalOf } from './calibration.ts';

const host = { fingerprint: 'a'.repeat(64), now: new Date('2026-06-15T00:00:00Z') };
const head = { fingerprint: host.fingerprint, cell: 'c', name: 'dense', backend: 'onnx-cpu', measuredAt: '2026-06-10T00:00:00.000Z' };
const noise = [0.01, -0.012, 0.004, 0.009, -0.006, -0.011, 0.013, 0.002, -0.003, -0.007];
const scaled = (factor: number) => noise.map((value) => factor * value);

test('a noisier host has a higher floor and can tell less; the same blocks give the same', () => {
  const quiet = calibrate(head, scaled(0.3), 1);
  const loud = calibrate(head, scaled(3), 1);
  assert.ok(loud.floor > 5 * quiet.floor);
  assert.ok(loud.minimumDetectableEffect > 5 * quiet.minimumDetectableEffect);
  assert.deepEqual(calibrate(head, scaled(3), 1), loud);
  assert.ok(quiet.floor < 0.009, 'a mean of five is nearer to 0 than a block');
});

test('a margin below twice what can be told is refused, with the blocks it would take', () => {
  const calibration = calibrate(head, noise, 1);
  const least = 2 * calibration.minimumDetectableEffect;
  assert.equal(refusalOf(least * 1.001, calibration), undefined);
  const blocks = Number(/it would take (\d+) blocks/.exec(refusalOf(least / 2, calibration)!)![1]);
  assert.ok(blocks > 20 && blocks < 120, String(blocks));
});

test('a cell’s own calibration holds, else the noisiest of its backend; never one that is old, dated ahead or of another host', () => {
  const own = calibrate(head, noise, 1);
  const other = calibrate({ ...head, cell: 'd' }, scaled(2), 1);
  const cell = { id: 'c', backend: 'onnx-cpu' };
  assert.equal(calibrationFor([own, other], cell, host), own);
  assert.equal(calibrationFor([own, other], { ...cell, id: 'e' }, host), other);
  assert.equal(calibrationFor([own], { id: 'e', backend: 'onnx-webgpu' }, host), undefined);
  assert.equal(calibrationFor([own], cell, { ...host, fingerprint: 'b'.repeat(64) }), undefined);
  assert.equal(calibrationFor([own], cell, { ...host, now: new Date('2026-06-25T00:00:00Z') }), undefined);
  assert.equal(calibrationFor([own], cell, { ...host, now: new Date('2026-06-09T00:00:00Z') }), undefined);
});
