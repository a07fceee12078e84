import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Energy } from '../contract/cell.ts';
import { sampleRun } from '../report/fixtures/sample-run.ts';
import { benchTable } from './bench-table.ts';

const joules = { mean: 0.5, low: 0.4, high: 0.6 };
const counted = { blocks: 5, voidBlocks: 0, calls: 200, grossJoules: joules, aboveIdleJoules: joules, idleWatts: 16 };

function notes(energy: Energy): string[] {
  const run = sampleRun({ variants: ['dense.fused', 'window.tiled'], lengths: [512] });
  const text = benchTable({ ...run, cells: run.cells.map((cell) => ({ ...cell, energy })) });
  return text.split('\n').filter((line) => /^(processor packages|a counter): /.test(line));
}

test('energy names what counted it; what could not be read says so once, beside what was', () => {
  const [first, second, ...rest] = notes({ unavailable: 'there is none', device: { counter: 'a counter', ...counted } }).toSorted();
  assert.match(first!, /^a counter: dense\.fused at 512 on onnx-cpu: .* per call above idle/);
  assert.match(second!, /^a counter: window\.tiled\S* at 512 on onnx-cpu: /);
  assert.deepEqual(rest, ['processor packages: not measured: there is none.']);
  const packages = { method: 'powercap' as const, packages: ['package-0'], ...counted };
  const failed = notes({ ...packages, device: { counter: 'a counter', unavailable: 'the GPU is lost' } }).toSorted();
  assert.equal(failed[0], 'a counter: not measured: the GPU is lost.');
  assert.match(failed[1]!, /^processor packages: dense\.fused at 512 on onnx-cpu: /);
  assert.equal(failed.length, 3);
});
