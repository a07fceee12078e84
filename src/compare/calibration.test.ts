import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adapters } from '../../adapters/index.ts';
import { readSuite } from '../contract/suite.ts';
import type { BlockOutcome } from '../measure/pair-block.ts';
import { fingerprint } from '../measure/fingerprint.ts';
import { planCells } from '../measure/plan-cells.ts';
import { quietHost } from '../measure/fixtures/quiet-host.ts';
import { calibrate, calibrationFor, notCalibrated, quietBlocks, refusalOf } from './calibration.ts';
import type { Calibration } from './calibration.ts';

const print = (of = quietHost) => fingerprint(of, { node: '24.21.0' });
const host = { host: { ...quietHost, fingerprint: print() }, now: new Date('2026-06-15T00:00:00Z') };
const on = { fingerprint: print().sha256, identity: { ...print().identity } };
const head = { ...on, cell: 'c', name: 'dense', backend: 'onnx-cpu', measuredAt: '2026-06-10T00:00:00.000Z' };
const noise = [0.01, -0.012, 0.004, 0.009, -0.006, -0.011, 0.013, 0.002, -0.003, -0.007];
const scaled = (factor: number) => noise.map((value) => factor * value);

test('blocks on a busy host are measured again, and where it stays busy there is no calibration', async () => {
  const measured = async (busy: readonly number[], blocks = 3) => {
    const told: number[] = [];
    const measure = async (index: number): Promise<BlockOutcome> => {
      const block = { logRatio: index, roundLogRatios: [], base: 1, new: 1, elapsedNs: 1, othersCores: busy.includes(index) ? 0.5 : 0.4 };
      return { state: 'measured', block, callsPerSample: { base: 1, new: 1 }, facts: { base: { warnings: [] }, new: { warnings: [] } } };
    };
    return { logRatios: await quietBlocks('c', measure, { blocks, busyFrom: 0.5, step: (block) => told.push(block) }), told };
  };
  assert.deepEqual(await measured([0, 1, 3]), { logRatios: [2, 4, 5], told: [0, 0, 0, 1, 1, 2] });
  const refused = { code: 'BUSY', message: 'c: busy: other work kept 0.5 processors busy in 6 of 7 blocks' };
  await assert.rejects(measured([0, 1, 2, 4, 5, 6]), refused);
});

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
  const blocks = Number(/: (\d+) blocks would be needed/.exec(refusalOf(least / 2, calibration)!)![1]);
  assert.ok(blocks > 40 && blocks < 240, String(blocks));
  const enough = Number(/use a margin of ([\d.]+) % or more/.exec(refusalOf(least / 2, calibration)!)![1]) / 100;
  assert.equal(refusalOf(enough, calibration), undefined);
});

const cellOf = (length: number, backend = 'onnx-cpu') => ({
  id: `dense.fused ${backend} b1 h8/8 q${length} k${length} d64 causal f32 gaussian seed1`,
  backend,
});
const model = { id: 'model.onnx onnx-cpu sequence=128', backend: 'onnx-cpu' };
const of = ({ id, backend }: { id: string; backend: string }, values = noise) => calibrate({ ...head, cell: id, backend }, values, 1);

test('a cell’s own calibration holds, else the noisiest of its backend and size; never one that is old, dated ahead, of another host or of other blocks', () => {
  const [own, quiet, loud] = [of(cellOf(512)), of(cellOf(256), scaled(0.5)), of(cellOf(1024), scaled(2))];
  const cell = cellOf(512);
  assert.equal(calibrationFor([own, loud], cell, host), own);
  assert.equal(calibrationFor([quiet, loud], cell, host), loud);
  assert.equal(calibrationFor([own], cellOf(512, 'onnx-webgpu'), host), undefined);
  assert.equal(calibrationFor([own], cell, { ...host, host: { fingerprint: { sha256: 'b'.repeat(64) } } }), undefined);
  const { blockDefinition: _, ...earlier } = own;
  assert.equal(calibrationFor([earlier], cell, host), undefined);
  assert.equal(calibrationFor([own], cell, { ...host, now: new Date('2026-06-25T00:00:00Z') }), undefined);
  assert.equal(calibrationFor([own], cell, { ...host, now: new Date('2026-06-09T00:00:00Z') }), undefined);
});

test('a calibration holds on its host where either could not read a part of it, and on no other; those without parts go by their hash', () => {
  const cell = cellOf(512);
  const incomplete = { ...quietHost, gpus: [], missing: [{ part: 'gpus', reason: 'no answer in 15000 ms' }] };
  const larger = { ...quietHost, availableCores: 64 };
  const heldOn = (of: typeof quietHost, calibration: Calibration) =>
    calibrationFor([calibration], cell, { ...host, host: { ...of, fingerprint: print(of) } }) === calibration;
  const whole = of(cell);
  const partial = calibrate(
    { ...head, fingerprint: print(incomplete).sha256, identity: { ...print(incomplete).identity }, cell: cell.id },
    noise,
    1,
  );
  for (const [calibration, elsewhere] of [
    [whole, incomplete],
    [partial, quietHost],
  ] as const) {
    assert.ok(heldOn(elsewhere, calibration));
    assert.ok(!heldOn(larger, calibration));
  }
  const old = { ...whole, identity: undefined };
  assert.ok(heldOn(quietHost, old));
  assert.ok(!heldOn(incomplete, old));
});

test('a calibration refuses nothing but cells about as large as its own, and no model; the way out is named', () => {
  const calibrations = [of(cellOf(512), scaled(30))];
  for (const subject of [cellOf(2048), cellOf(128), model])
    assert.equal(calibrationFor(calibrations, subject, host), undefined, subject.id);
  assert.match(notCalibrated(cellOf(2048).id), /not calibrated for this: run attnswap calibrate/);
  assert.match(notCalibrated(model.id), /not calibrated for this: compare the model with itself/);
});

test('sizes are read off the ids that cells are planned with', async () => {
  const cell = (length: number) => ({ name: 'sizes', matrix: { variants: ['dense.fused'], backends: ['onnx-cpu'], lengths: [length] } });
  const [short, long] = await Promise.all(
    [512, 1024].map(async (length) => (await planCells(readSuite(cell(length), 'sizes'), adapters))[0]!),
  );
  const calibration = of(short!.cell);
  assert.equal(calibrationFor([calibration], long!.cell, host), calibration);
});
