import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildWidths } from '../../../tests/models/value-widths.ts';
import { inMemory, runner, subjectOf } from '../../../tests/subjects.ts';
import type { AttentionInputs } from '../../contract/inputs.ts';
import { drawGate } from '../../inputs/gate.ts';
import { RandomStream } from '../../inputs/random.ts';
import { parseReplacements } from '../../migration/parse-replacements.ts';
import { findVariant, parseVariant, variants } from '../../variants/index.ts';
import { referenceOutput } from '../../variants/reference.ts';
import { swapSites } from './swap.ts';

const narrow = 4;
const wide = 16;
const shape = { batch: 1, heads: 2, kvHeads: 2, queries: 12, keys: 12, headDim: wide, causal: false, dtype: 'f32' as const };

/** Rows of `width` numbers, of which the first `of` are drawn and the others are 0. */
function padded(name: string, width: number, of: number): Float32Array {
  const rows = shape.heads * shape.keys;
  const drawn = new RandomStream(1, name).fillNormal(new Float32Array(rows * of), 1);
  return Float32Array.from({ length: rows * width }, (_, at) => (at % width < of ? drawn[Math.floor(at / width) * of + (at % width)]! : 0));
}

/** The first numbers of each row that values have without zeros; the gate of narrow queries is the beginning of that of wide ones. */
function outputOf(text: string, width: number, causal: boolean): Float64Array {
  const { variant, parameters } = parseVariant(text);
  const gate = drawGate({ ...shape, headDim: wide }, undefined, 1);
  const cut = (tensor: Float32Array) => tensor.filter((_, at) => Math.floor(at / gate.rank) % wide < width);
  const inputs: AttentionInputs = {
    shape: { ...shape, headDim: width, causal },
    ...{ query: padded('query', width, narrow), key: padded('key', width, narrow), value: padded('value', width, narrow) },
    ...(findVariant(variant).takesGate === true && { gate: { ...gate, u: cut(gate.u), w: cut(gate.w) } }),
    scale: 0.5,
  };
  return referenceOutput(inputs, findVariant(variant), parameters).filter((_, at) => at % width < narrow);
}

const unchanged = [
  ...['dense', 'topk:k=3', 'window:w=4', 'grid-window:grid=3x4,w=3x3', 'hierarchical:local=2,region=4,ratio=1:1:0'],
  ...['block-topk:block=2,blocks=3', 'gated:sparsity=0.4', 'gated:block=2,sparsity=0.4', 'gated:form=query,sparsity=0.4'],
  ...['linear:map=relu', 'linear:rule=gated,map=relu', 'linear:map=identity', 'linear:rule=delta', 'linear:rule=gated-delta'],
];

test('zeros behind queries, keys and values change no variant but linear attention whose map is not 0 at 0', () => {
  const distance = (text: string) => {
    const causal = text.includes('delta');
    const [own, other] = [outputOf(text, narrow, causal), outputOf(text, wide, causal)];
    return Math.max(...own.map((component, at) => Math.abs(component - other[at]!)));
  };
  for (const text of unchanged) assert.ok(distance(text) < 1e-12, `${text}: ${distance(text)}`);
  for (const text of ['linear', 'linear:rule=gated']) assert.ok(distance(text) > 1e-2, `${text}: ${distance(text)}`);
  const tried = new Set(unchanged.map((text) => parseVariant(text).variant));
  assert.deepEqual(
    variants.map(({ name }) => name).filter((name) => !tried.has(name)),
    [],
  );
});

test('linear attention with map=elu is refused by name where queries and keys are narrower than values, and there alone', async () => {
  const swapped = async (keys: number, values: number, text: string) => {
    const { sites } = await subjectOf(inMemory('widths', buildWidths({ keys, values, form: 'rows' })));
    return swapSites(sites, { adapter: runner.adapter, seed: 1, replacements: parseReplacements([text], [0], runner.adapter) });
  };
  for (const text of ['linear', 'linear:rule=gated', 'linear:map=elu'])
    await assert.rejects(swapped(4, 16, text), {
      code: 'UNSUPPORTED',
      message:
        /^site 0 \(.*\) cannot become linear\..*: its queries and keys \(width 4\) .* width of its values \(16\), and map=elu makes each of them 1$/,
      hint: 'write map=relu, or select only the other sites with --site',
    });
  for (const [keys, text] of [
    [4, 'linear:map=relu'],
    [16, 'linear'],
    [32, 'linear'],
  ] as const)
    assert.ok((await swapped(keys, 16, text)).graph!.node.length > 0);
});
