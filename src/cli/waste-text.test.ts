import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawGaussian } from '../inputs/gaussian.ts';
import { findVariant } from '../variants/index.ts';
import { measureWaste } from '../waste/measure-waste.ts';
import { wasteText } from './waste-text.ts';

const dense = findVariant('dense');
const shape = { batch: 1, heads: 2, kvHeads: 2, queries: 40, keys: 40, headDim: 8, causal: true, dtype: 'f32' as const };

test('waste is a sentence first, then at most eight rows in words, each with its interval', () => {
  const report = measureWaste({ inputs: drawGaussian(shape, 1), inputsName: 'drawn', variant: dense, parameters: {}, dense, rows: 'all' });
  const [sentence, gap, header, ...rows] = wasteText('dense', report).split('\n');
  assert.match(sentence!, /^dense: \d+ % of the query–key pairs could be left out; the rest hold 95 % of the attention weight\.$/);
  assert.equal(gap, '');
  assert.match(header!, /^80 of 80 rows +share +95 % interval$/);
  assert.ok(rows.length > 0 && rows.length <= 8);
  for (const row of rows) assert.match(row, /^[^.]+\S  +[\d.]+ %  +[\d.]+ % … [\d.]+ %$/);
});

test('groups of keys follow in a table of their own', () => {
  const groups = [
    { name: 'image', from: 0, to: 30 },
    { name: 'te\u001bxt', from: 30, to: 40 },
  ];
  const given = {
    inputs: drawGaussian(shape, 1),
    inputsName: 'drawn',
    variant: dense,
    parameters: {},
    dense,
    rows: 'all',
    groups,
  } as const;
  const [, , table] = wasteText('dense', measureWaste(given)).split('\n\n');
  const lines = table!.split('\n');
  assert.match(lines[0]!, /^keys +weight +pairs +not needed$/);
  assert.match(lines[1]!, /^image \(0–29\)( +\d+(\.\d+)? % \([\d.]+ % … [\d.]+ %\)){3}$/);
  assert.match(lines[2]!, /^te.*xt \(30–39\) /);
  assert.doesNotMatch(table!, /\u001b/);
});
