import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeSeries } from './encode-series.ts';

test('no two kernels share colour and shape, however many of a variant, or of unknown ones, there are', () => {
  const series = ['dense', 'window', 'unheard-of', 'dense', 'topk', 'new'].flatMap((variant, index) =>
    Array.from({ length: 9 }, (_, kernel) => ({ name: `${variant}.${index}-${kernel}`, variant })),
  );
  const { color, shape } = encodeSeries(series);
  const looks = series.map((_, index) => `${color.scale.range[index]} ${shape.scale.range[index]}`);
  assert.equal(new Set(looks).size, series.length);
  // Two of one variant that a distance of six lays on the same shape.
  const apart = [0, 1, 2, 3, 4, 5].map((index) => ({ name: `k${index}`, variant: index === 0 || index === 5 ? 'dense' : `v${index}` }));
  const { shape: shapes } = encodeSeries(apart);
  assert.notEqual(shapes.scale.range[0], shapes.scale.range[5]);
});
