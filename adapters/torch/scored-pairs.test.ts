import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Shape } from '../../src/contract/shape.ts';
import { findVariant } from '../../src/variants/index.ts';
import { windowStart } from '../../src/variants/window/span.ts';
import { gridOf } from '../../src/variants/grid-window/grid.ts';
import { gridTiles } from '../../src/variants/grid-window/tiles.ts';
import { skip } from '../../tests/torch-installed.ts';
import { findPython } from './python.ts';
import { boxOverhead, flexPairs, fusedCausalPairs, gridWindowPairs } from './scored-pairs.ts';

const shapeOf = (n: number, causal = true): Shape => ({
  ...{ batch: 1, heads: 1, kvHeads: 1, queries: n, keys: n, headDim: 64 },
  causal,
  dtype: 'f32',
});

test('whole blocks of 512 keys are what the fused path adds to causal pairs', () => {
  const ratio = (n: number) => fusedCausalPairs(shapeOf(n)) / findVariant('dense').cost({}, shapeOf(n)).scoredPairs;
  assert.deepEqual(
    [512, 1024, 4096].map((n) => ratio(n).toFixed(2)),
    ['2.00', '1.50', '1.12'],
  );
  assert.equal(fusedCausalPairs(shapeOf(100)), 100 * 100);
  assert.equal(fusedCausalPairs(shapeOf(600)), 512 * 512 + 88 * 600);
});

test('flex_attention computes each block of 128 that holds a pair of the mask', () => {
  for (const causal of [true, false])
    for (const [n, w, globals] of [
      [512, 256, 0],
      [1000, 100, 0],
      [1000, 1, 0],
      [700, 129, 3],
      [300, 40, 200],
    ] as const) {
      const shape = shapeOf(n, causal);
      const seen = (i: number, j: number) =>
        (!causal || j <= i) && (j < globals || i < globals || (j >= windowStart(shape, i, w) && j <= i + (causal ? 0 : Math.floor(w / 2))));
      assert.equal(flexPairs(shape, { w, globals }), blocksWith(n, seen), `${n} ${w} ${globals} ${causal}`);
    }
  assert.equal(flexPairs(shapeOf(512)), 10 * 128 ** 2);
  assert.equal(flexPairs(shapeOf(512, false)), 512 ** 2);
});

test('a small window over a large grid computes few pairs, and one over a small grid may compute all', () => {
  const share = (grid: string, w: number, n: number) => gridWindowPairs({ grid, w, globals: 0, time: 'both' }, shapeOf(n, false)) / n ** 2;
  assert.ok(share('64x64', 7, 4096) < 0.06 && share('8x32x32', 3, 8192) < 0.02);
  assert.equal(share('7x7', 3, 49), 1);
});

test('the worker cuts a grid into the boxes whose pairs are counted', { skip }, () => {
  const given = ['1x1', '7x7', '5x13', '24x24', '64x64', '1x100', '4x5x5', '8x14x14'].flatMap((grid) =>
    ['1', '3', '7'].flatMap((w) => ['both', 'past'].map((time) => ({ grid, w: Number(w), globals: 0, time }))),
  );
  const grids = given.filter(({ grid, time }) => time === 'both' || grid.split('x').length === 3);
  const script = [
    'import json, sys',
    'from attnswap_torch.kernels.grid_window import cut, overhead, read',
    'def extents(sizes, windows, _, past): return [axis.extent for axis in cut(sizes, windows, past)]',
    'json.dump([overhead, [extents(*read(given)) for given in json.load(sys.stdin)]], sys.stdout)',
  ].join('\n');
  const cwd = join(import.meta.dirname, 'worker');
  const { stdout, stderr } = spawnSync(findPython(), ['-c', script], { cwd, input: JSON.stringify(grids), encoding: 'utf8' });
  const expected = grids.map((parameters) => gridTiles(gridOf(parameters), boxOverhead).axes.map(({ extent }) => extent));
  assert.ok(stdout !== '', stderr);
  assert.deepEqual(JSON.parse(stdout), [boxOverhead, expected]);
});

/** Pairs of all blocks of 128 × 128 with a pair that is seen, counted pair by pair. */
function blocksWith(n: number, seen: (i: number, j: number) => boolean): number {
  const blocks = new Set<string>();
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) if (seen(i, j)) blocks.add(`${Math.floor(i / 128)} ${Math.floor(j / 128)}`);
  const height = (block: number) => Math.min(128, n - 128 * block);
  return [...blocks].reduce((sum, block) => {
    const [i = 0, j = 0] = block.split(' ').map(Number);
    return sum + height(i) * height(j);
  }, 0);
}
