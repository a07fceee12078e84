import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildWidths } from '../../../tests/models/value-widths.ts';
import { inMemory, runner, subjectOf } from '../../../tests/subjects.ts';
import { parseReplacements } from '../../migration/parse-replacements.ts';
import { probeInputs } from '../sites/probe-inputs.ts';
import { openForCapture } from './capture.ts';
import type { CapturedCall } from './capture.ts';
import { louderAttention } from './compare-sites.ts';
import { swapSites } from './swap.ts';

/** The root mean square of a call’s logits before they are capped, of other queries. */
function sizeOfLogits({ shape, key, scale }: CapturedCall, query: Float32Array): number {
  const { batch, heads, queries, keys, headDim } = shape;
  let square = 0;
  for (let head = 0; head < batch * heads; head++)
    for (let i = 0; i < queries; i++)
      for (let j = 0; j < keys; j++) {
        const [row, column] = [(head * queries + i) * headDim, (head * keys + j) * headDim];
        let product = 0;
        for (let m = 0; m < headDim; m++) product += query[row + m]! * key[column + m]!;
        square += (scale * product) ** 2;
      }
  return Math.sqrt(square / (batch * heads * queries * keys));
}

for (const [keys, values] of [
  [16, 16],
  [4, 64],
  [16, 4],
] as const)
  test(`the check of a soft cap reaches twice the cap with queries of ${keys} and values of ${values}`, async () => {
    const softcap = 3;
    const { file, sites } = await subjectOf(inMemory('capped', buildWidths({ keys, values, form: 'Attention', softcap })));
    assert.deepEqual([sites.sites[0]!.softcap, sites.sites[0]!.headDim], [softcap, Math.max(keys, values)]);
    const wanted = [...sites.swappable.values()];
    const replacements = parseReplacements(['dense.naive'], [0], runner.adapter);
    const proto = swapSites(sites, { adapter: runner.adapter, replacements, seed: 1 });
    const beside = louderAttention({ sites, swapped: proto, replacements, seed: 1 }, wanted, runner.adapter);
    const opened = await openForCapture({ proto, original: sites.proto, beside }, wanted, file, runner);
    const call = (await opened.capture(probeInputs(opened.inputs, { ...sites.scopes[0]!.probe, length: 33 }, {}))).get(0)!;
    await opened.dispose();
    const size = sizeOfLogits(call, call.beside!.query);
    assert.ok(size > softcap && size < 4 * softcap, `${size}`);
  });
