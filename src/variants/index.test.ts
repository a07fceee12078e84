import assert from 'node:assert/strict';
import test from 'node:test';
import { AttnswapError } from '../contract/errors.ts';
import { findVariant, formatVariant, parseVariant, validParameters, variants } from './index.ts';

function refusal(text: string): AttnswapError {
  try {
    parseVariant(text);
  } catch (error) {
    assert.ok(error instanceof AttnswapError, String(error));
    return error;
  }
  return assert.fail(`${text} was accepted`);
}

test('the notation gives name, kernel and parameters with defaults filled in', () => {
  assert.deepEqual(parseVariant('topk:k=8'), { variant: 'topk', parameters: { k: 8 } });
  assert.deepEqual(parseVariant('topk'), { variant: 'topk', parameters: { k: 32 } });
  assert.deepEqual(parseVariant('topk:keep=1e-1'), { variant: 'topk', parameters: { keep: 0.1 } });
  assert.deepEqual(parseVariant('dense.fused'), { variant: 'dense', kernel: 'fused', parameters: {} });
  assert.deepEqual(parseVariant('window:globals=4'), { variant: 'window', parameters: { w: 256, globals: 4 } });
  assert.deepEqual(parseVariant('gated'), { variant: 'gated', parameters: { sparsity: 0, form: 'multiply', block: 1 } });
  assert.deepEqual(parseVariant('gated:tau=0.5').parameters, { tau: 0.5, form: 'multiply', block: 1 });
  assert.deepEqual(parseVariant('hierarchical.tiled:ratio=1:0:2').parameters, { local: 8, region: 32, ratio: '1:0:2' });
  assert.deepEqual(parseVariant('block-topk.naive').parameters, { block: 64, blocks: 8 });
});

test('what is written is read back the same', () => {
  const texts = [
    'dense.fused',
    'topk:k=8',
    'topk:keep=0.1',
    'gated.tiled:tau=0.5,form=log,block=16',
    'gated:sparsity=0.3',
    'gated:rank=3',
    'linear:rule=gated-delta,decay=0.9',
    'grid-window:grid=8x14x14,w=3x7x7,globals=1,time=past',
  ];
  for (const text of [...texts, 'hierarchical:ratio=1:0:2', 'block-topk:blocks=2', ...variants.map(({ name }) => name)]) {
    const parsed = parseVariant(text);
    assert.deepEqual(parseVariant(formatVariant(parsed)), parsed, text);
  }
  assert.equal(formatVariant(parseVariant('window:w=32')), 'window:w=32');
});

test('validating validated parameters changes nothing', () => {
  for (const text of [
    'topk',
    'topk:keep=0.5',
    'gated',
    'gated:tau=0',
    'hierarchical',
    'block-topk',
    'window',
    'dense',
    'linear:rule=delta',
  ]) {
    const { variant, parameters } = parseVariant(text);
    assert.deepEqual(validParameters(variant, parameters), parameters);
  }
});

test('an unknown variant is refused with the nearest name and the list', () => {
  assert.throws(() => findVariant('windw'), { code: 'UNKNOWN_VARIANT', hint: 'did you mean window?' });
  assert.throws(() => findVariant('hier'), { code: 'UNKNOWN_VARIANT', hint: 'did you mean hierarchical?' });
  assert.throws(() => findVariant('flash'), {
    code: 'UNKNOWN_VARIANT',
    message: /dense, topk, window, grid-window, gated, hierarchical, block-topk/,
  });
  assert.ok(!refusal('flash:k=3').hint?.includes('did you mean'));
});

const bad = [
  ...['', 'Dense', 'topk:', 'topk:k', 'topk:k=', 'topk:=3', 'topk:k=3,k=4', 'topk:k=3,keep=0.1', 'topk:k=0', 'topk:k=1.5', 'topk:k=abc'],
  ...['topk:k=0x10', 'topk:k=Infinity', 'topk:keep=0', 'topk:keep=1.1', 'topk:foo=1', 'dense:k=1', 'window:w=0', 'window:globals=-1'],
  ...[
    'gated:sparsity=1',
    'gated:sparsity=-0.1',
    'gated:tau=1.5',
    'gated:sparsity=0,tau=0.5',
    'gated:form=add',
    'gated:block=0',
    'gated:rank=0',
  ],
  ...['hierarchical:local=5', 'hierarchical:ratio=1:1', 'hierarchical:ratio=0:0:0', 'hierarchical:ratio=4', 'hierarchical:ratio=1:-1:1'],
  ...['block-topk:blocks=1', 'block-topk:block=0'],
  ...['grid=14', 'grid=0x4', 'grid=2x3x4x5', 'grid=14X14', 'grid=14x', 'w=0', 'w=1.5', 'w=3x', 'w=3x0', 'w=3x3x3', 'globals=-1'].map(
    (list) => `grid-window:${list}`,
  ),
  ...['time=future', 'time=past', 'grid=4x4,time=past', 'grid=2x4x4,w=3x3', 'frames=2'].map((list) => `grid-window:${list}`),
  ...[
    'linear:rule=mamba',
    'linear:map=exp',
    'linear:norm=max',
    'linear:decay=0.9',
    'linear:rule=gated,decay=0',
    'linear:rule=gated,decay=2',
  ],
  ...[
    'linear:beta=1',
    'linear:rule=delta,beta=0',
    'linear:rule=delta,decay=0.5',
    'linear:rule=delta,norm=sum',
    'linear:map=identity,norm=sum',
  ],
];

for (const text of bad) {
  test(`"${text}" is refused`, () => {
    const { code, message } = refusal(text);
    assert.equal(code, 'INVALID_PARAMETERS');
    assert.match(message, /expected|must be/);
    assert.doesNotMatch(message, /pattern|Invalid/);
  });
}

test('a refusal names the parameter, what was given and what is expected', () => {
  assert.match(refusal('window:w=abc').message, /window: w is "abc", expected a whole number ≥ 1/);
  assert.match(refusal('window:width=3').message, /window: unknown parameter "width"; expected w, globals/);
  const wrongGrids = {
    'grid=14': 'grid is 14, expected rows x columns or frames x rows x columns, such as 14x14 or 8x14x14',
    'w=0x3': 'w is "0x3", expected a whole number ≥ 1, or one for each axis, such as 3x7x7',
    'w=0': 'w is 0, expected a whole number ≥ 1, or one for each axis, such as 3x7x7',
    'w=3x3x3': 'w=3x3x3 has 3 axes, grid=14x14 has 2; expected one extent for all axes, or one for each',
    'time=past': 'time=past with grid=14x14, which has 2 axes; expected frames x rows x columns, such as 8x14x14',
  };
  for (const [list, message] of Object.entries(wrongGrids)) assert.equal(refusal(`grid-window:${list}`).message, `grid-window: ${message}`);
});

test('a grid is refused for any number of tokens but its own, with both', () => {
  const { variant, parameters } = parseVariant('grid-window:grid=2x3x4,globals=1');
  const shape = { batch: 1, heads: 1, kvHeads: 1, queries: 25, keys: 25, headDim: 4, causal: true, dtype: 'f32' } as const;
  const refuses = (queries: number, keys: number) => findVariant(variant).refuses(parameters, { ...shape, queries, keys });
  assert.equal(refuses(25, 25), undefined);
  assert.equal(refuses(24, 24), 'grid-window: 24 tokens, expected the 1 + 24 tokens of globals=1 and grid=2x3x4');
  assert.equal(refuses(1, 25), 'grid-window: 1 query and 25 keys, expected the 1 + 24 tokens of globals=1 and grid=2x3x4');
});

test('more queries than keys are refused where positions must align', () => {
  const shape = { batch: 1, heads: 1, kvHeads: 1, queries: 3, keys: 2, headDim: 4, causal: true, dtype: 'f32' } as const;
  const refuses = (text: string) => {
    const { variant, parameters } = parseVariant(text);
    return findVariant(variant).refuses(parameters, shape) !== undefined;
  };
  const defined = ['dense', 'topk', 'gated', 'linear'];
  const refused = ['gated:block=4', 'window', 'hierarchical', 'block-topk', 'linear:rule=gated', 'linear:rule=delta'];
  assert.deepEqual(
    [...defined, ...refused].filter((text) => !refuses(text)),
    defined,
  );
  assert.equal(findVariant('gated').refuses({}, shape), undefined);
});
