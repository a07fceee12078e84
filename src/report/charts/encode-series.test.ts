import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { drawSvg } from '../draw.ts';
import { encodeSeries } from './encode-series.ts';
import { scalingChart } from './scaling.ts';

const names = [
  'block-topk.blocks:block=64,blocks=8',
  'block-topk.blocks:block=64,blocks=16',
  '0=window.tiled:w=128 1=topk.tiled:k=32 2=dense.fused 3=gated.tiled:w=64',
  '0=window.tiled:w=128 1=topk.tiled:k=64 2=dense.fused 3=gated.tiled:w=64',
  '0="\u2028\\ 1=topk.tiled:k=64 2=dense.fused 3=gated.tiled:w=64',
];
const series = names.map((name) => ({ name, variant: 'block-topk' }));
const points = names.flatMap((name, index) => [512, 1024].map((length) => ({ series: name, length, value: index + length, label: name })));
const spec = scalingChart({ title: 'latency', axis: 'ms', series, points });

test('kernels whose names begin alike, or begin and end alike, have labels of their own in the legend', async () => {
  const texts = [...(await drawSvg(spec, 'legend')).matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text!);
  const labels = texts.filter((text) => /block|gated/.test(text));
  assert.equal(labels.length, names.length, labels.join('\n'));
  assert.equal(new Set(labels).size, names.length, labels.join('\n'));
  assert.ok(labels.includes(names[0]!) && labels.includes(names[1]!));
});

test('a chart is drawn alike with and without the package canvas', async () => {
  const canvas = `export const createCanvas = true; export class Canvas { getContext() { return { measureText: (text) => ({ width: 99 * text.length }) }; } }`;
  const script = `
    import { registerHooks } from 'node:module';
    const url = ${JSON.stringify(`data:text/javascript,${encodeURIComponent(canvas)}`)};
    registerHooks({ resolve: (name, context, next) => (name === 'canvas' ? { url, shortCircuit: true } : next(name, context)) });
    const { drawSvg } = await import(${JSON.stringify(new URL('../draw.ts', import.meta.url).href)});
    process.stdout.write(await drawSvg(${JSON.stringify(spec)}, 'canvas'));`;
  const drawn = execFileSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' });
  assert.equal(drawn, await drawSvg(spec, 'canvas'));
});

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
