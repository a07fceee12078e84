import assert from 'node:assert/strict';
import test from 'node:test';
import { AttnswapError } from '../contract/errors.ts';
import { drawTokens, smallTestbed, stirredWeights, translating } from './fixtures/small-testbed.ts';
import type { TokenBatch } from './answers.ts';
import { alibiSlopes, axialAngles, sinusoidalTable } from './positions.ts';
import { attend } from './reference-attention.ts';
import { referenceAnswers, referenceForward, referenceLoss } from './reference-forward.ts';
import { gelu, normalise } from './reference-layers.ts';
import { readTestbed, sitesOf } from './testbed.ts';
import type { Testbed } from './testbed.ts';

type Vector = readonly number[];
const dot = (a: Vector, b: Vector): number => a.reduce((sum, value, at) => sum + value * b[at]!, 0);
const range = (count: number): number[] => [...Array.from({ length: count }).keys()];
const length = 9;

/**
 * attend once more from its definition, for one item of dense attention: arrays, position by position, the bias of ALiBi added as the paper has it; across
 * where there is a memory.
 */
function attendPlainly(testbed: Testbed, x: Float64Array, weights: ReadonlyMap<string, Float32Array>, memory?: Float64Array): number[] {
  const { width, heads } = testbed;
  const [position, causal] = memory === undefined ? [testbed.position, testbed.causal] : ['none', false];
  const d = width / heads;
  const times = (p: readonly number[], name: string): number[] => {
    const matrix = weights.get(`layers.0.${memory === undefined ? 'attention' : 'cross'}.${name}`)!;
    return range(width).map((to) => p.reduce((sum, value, from) => sum + value * matrix[from * width + to]!, 0));
  };
  const rowsOf = (values: Float64Array) => range(values.length / width).map((p) => [...values.subarray(p * width, (p + 1) * width)]);
  const angleOf = (p: number, pair: number): number => {
    if (position === 'rotary') return p * Math.pow(10_000, (-2 * pair) / d);
    // Of 1 + 4 × 8 tokens: two pairs turn with the row, two with the column.
    const [row, column] = p === 0 ? [0, 0] : [Math.floor((p - 1) / 8), (p - 1) % 8];
    return (pair < 2 ? row : column) * (pair % 2 === 0 ? 1 : 0.1);
  };
  /** A pair as a complex number times e^{i·angle}. */
  const turn = (vector: Vector, p: number): number[] =>
    vector.map((value, m) => {
      const angle = angleOf(p, m % (d / 2));
      return m < d / 2
        ? value * Math.cos(angle) - vector[m + d / 2]! * Math.sin(angle)
        : vector[m - d / 2]! * Math.sin(angle) + value * Math.cos(angle);
    });
  const part = (name: string, head: number) =>
    rowsOf(name === 'query' ? x : (memory ?? x)).map((row, p) => {
      const vector = times(row, name).slice(head * d, (head + 1) * d);
      return ['rotary', 'axial'].includes(position) && name !== 'value' ? turn(vector, p) : vector;
    });
  const attended = range(heads).map((head) => {
    const [q, k, v] = [part('query', head), part('key', head), part('value', head)];
    const slope = position === 'alibi' ? Math.pow(2, (-8 * (head + 1)) / heads) : 0;
    return range(length).map((i) => {
      const seen = range(causal ? i + 1 : k.length);
      const weight = seen.map((j) => Math.exp(dot(q[i]!, k[j]!) / Math.sqrt(d) - slope * (i - j)));
      const sum = weight.reduce((total, each) => total + each, 0);
      return range(d).map((m) => seen.reduce((total, j) => total + (weight[j]! / sum) * v[j]![m]!, 0));
    });
  });
  return range(length).flatMap((i) =>
    times(
      attended.flatMap((head) => head[i]!),
      'output',
    ),
  );
}

for (const position of ['none', 'rotary', 'axial', 'alibi'] as const)
  test(`attention with ${position} positions is what its definition says`, () => {
    for (const causal of position === 'alibi' ? [true] : [true, false]) {
      const testbed = smallTestbed({ position, causal });
      const weights = stirredWeights(testbed);
      const x = Float64Array.from({ length: length * testbed.width }, (_, at) => Math.sin(3.7 * at) + 0.3 * Math.cos(at * at));
      const got = attend(x, weights, { testbed, site: sitesOf(testbed)[0]!, sizes: { items: 1, length } });
      const expected = attendPlainly(testbed, x, weights);
      // Queries, keys and values are rounded to f32.
      expected.forEach((value, at) => assert.ok(Math.abs(value - got[at]!) < 1e-6, `${at}: ${value} and ${got[at]}`));
    }
  });

test('axial positions deal the pairs of a head to three axes, the first ones getting more', () => {
  const angles = axialAngles({ sizes: [2, 3, 4], globals: 2 }, 26, 16);
  assert.deepEqual(
    [...angles.subarray(0, 16)],
    range(16).map(() => 0),
  );
  // The last token is at (1, 2, 3).
  const third = [0, 1, 2].map((m) => 100 ** (-m / 3));
  const expected = [...third.map((frequency) => frequency), ...third.map((frequency) => 2 * frequency), 3, 0.3];
  expected.forEach((angle, at) => assert.ok(Math.abs(angle - angles[25 * 8 + at]!) < 1e-12));
});

test('cross-attention reads keys and values from memory, whatever the positions', () => {
  for (const position of ['none', 'rotary'] as const) {
    const testbed = translating({ position });
    const site = sitesOf(testbed).find(({ name }) => name === 'layers.0.cross')!;
    const weights = stirredWeights(testbed);
    const values = (rows: number, phase: number) =>
      Float64Array.from({ length: rows * testbed.width }, (_, at) => Math.sin(3.7 * at + phase));
    for (const source of [1, 7, 13]) {
      const [x, memory] = [values(length, 0), values(source, 1)];
      const got = attend(x, weights, { testbed, site, memory, sizes: { items: 1, length, source: { length: source } } });
      const expected = attendPlainly(testbed, x, weights, memory);
      assert.equal(got.length, expected.length);
      expected.forEach((value, at) => assert.ok(Math.abs(value - got[at]!) < 1e-6, `${at}: ${value} and ${got[at]}`));
    }
  }
});

/** Where the logits of two batches are the same, position by position. */
function samePlaces(testbed: Testbed, weights: ReadonlyMap<string, Float32Array>, batches: readonly TokenBatch[]): boolean[] {
  const [before, after] = batches.map((each) => referenceForward(testbed, weights, each));
  return range(before!.length / testbed.classes).map((place) => {
    const at = place * testbed.classes;
    return range(testbed.classes).every((each) => before![at + each] === after![at + each]);
  });
}

const decoding = [
  ...[
    'dense',
    'topk:k=3',
    'topk:keep=0.4',
    'window:w=4',
    'window:w=4,globals=2',
    'hierarchical:local=2,region=4',
    'linear',
    'linear:rule=gated',
  ],
  ...['gated:sparsity=0.4,rank=2', 'gated:tau=0.5,rank=2', 'gated:form=query,tau=0.5,rank=2', 'block-topk:block=1,blocks=3'],
];
for (const attention of decoding)
  test(`a decoder with ${attention} across does not see what it is yet to write, and sees the source`, () => {
    const testbed = translating({ length: 12, encoder: { length: 19, attention: ['dense', 'dense'], cross: [attention, attention] } });
    const weights = stirredWeights(testbed);
    const batch = drawTokens(testbed, 1, 12);
    const tokens = batch.tokens.map((token, at) => (at < 7 ? token : (token + 1) % testbed.vocabulary));
    assert.deepEqual(
      samePlaces(testbed, weights, [batch, { ...batch, tokens }]),
      range(12).map((place) => place < 7),
    );
    const source = { length: 19, tokens: batch.source!.tokens.map((token) => (token + 1) % testbed.vocabulary) };
    assert.ok(samePlaces(testbed, weights, [batch, { ...batch, source }]).every((same) => !same));
  });

test('in windows that are too narrow in time nothing in the middle of a clip’s last frame depends on the frames that move', () => {
  // Of clips:frames=5,rest=3,side=14: two frames of 5 × 5 tokens move.
  const depends = (w: string) => {
    const attention = `grid-window:grid=5x5x5,w=${w}`;
    const testbed = smallTestbed({ length: 125, attention: [attention, attention], causal: false });
    const batch = drawTokens(testbed, 1, 125);
    const tokens = batch.tokens.map((token, at) => (at < 50 ? (token + 1) % testbed.vocabulary : token));
    return !samePlaces(testbed, stirredWeights(testbed), [batch, { ...batch, tokens }])[4 * 25 + 12]!;
  };
  assert.deepEqual(
    ['1x5x5', '2x5x5', '2', '3x5x5', '3'].filter((w) => depends(w)),
    ['3x5x5', '3'],
  );
});

test('in windows that are too narrow nothing at the place of a translation’s verb depends on the source’s verb', () => {
  const narrow = (w: number) => {
    const all = [`window:w=${w}`, `window:w=${w}`];
    return translating({ attention: all, encoder: { length: 36, attention: all, cross: all }, length: 32, width: 16 });
  };
  // Of translate:objects=4,digits=3: the verb is the source's fourth word, and the translation's fifteenth at the earliest.
  const seen = (w: number) => {
    const testbed = narrow(w);
    const batch = { ...drawTokens(testbed, 1, 32), source: { length: 36, tokens: drawTokens(testbed, 1, 36).tokens } };
    const source = { length: 36, tokens: batch.source.tokens.with(3, (batch.source.tokens[3]! + 1) % testbed.vocabulary) };
    return samePlaces(testbed, stirredWeights(testbed), [batch, { ...batch, source }]).lastIndexOf(false);
  };
  // (E + 1)·⌊w/2⌋ + (D − 1)·(w − 1) from position 3, on an axis on which the first word that is written stands at 4.
  assert.deepEqual([seen(4), seen(8)], [3 - 4 + 3 * 2 + 3, 3 - 4 + 3 * 4 + 7]);
  assert.ok(seen(4) < 14 && seen(8) >= 14);
});

test('what a decoder or an encoder cannot have is refused by name', () => {
  const refused = (changes: Partial<Testbed>, message: RegExp) =>
    assert.throws(() => translating(changes), { code: 'INVALID_PARAMETERS', message });
  const across = (attention: string, length = 40) => ({ encoder: { length, attention: ['dense'], cross: [attention, 'dense'] } });
  const ahead = 'in layers\\.0\\.cross: later queries have a say in what a query sees, and a decoder does not know them yet$';
  for (const attention of ['block-topk', 'gated:block=4,sparsity=0.3', 'gated:form=query,sparsity=0.3'])
    refused(across(attention), new RegExp(`${attention} ${ahead}`));
  refused(across('window:w=4', 32), /window:w=4 in layers\.0\.cross: window: 33 queries and 32 keys/);
  refused(across('linear:rule=delta'), /is causal only/);
  refused(
    { encoder: { length: 40, attention: ['linear:rule=delta'], cross: ['dense', 'dense'] } },
    /in encoder\.layers\.0\.attention: .* causal only/,
  );
  refused({ encoder: { length: 40, attention: ['dense'], cross: ['dense'] } }, /encoder\.cross: expected one for each decoder layer/);
  refused({ causal: false }, /a decoder is causal/);
  refused({ position: 'alibi' }, /an encoder has none/);
  refused({ exits: [0.5] }, /a model with an encoder has no exits/);
});

test('a batch without a source, or with one that no encoder reads, is refused', () => {
  const [plain, both] = [smallTestbed(), translating()];
  const { source, ...batch } = drawTokens(both, 1, 3);
  const refused = (testbed: Testbed, given: TokenBatch, message: RegExp) =>
    assert.throws(() => referenceForward(testbed, stirredWeights(testbed), given), { code: 'INVALID_INPUTS', message });
  refused(both, batch, /no source, expected one for the encoder/);
  refused(plain, { ...batch, source: source! }, /a source, but the testbed has no encoder/);
  refused(both, { ...batch, source: { length: 41, tokens: new Int32Array(41) } }, /source length is 41, expected 1 to 40/);
  refused(both, { ...batch, source: { length: 2, tokens: Int32Array.of(0, 99) } }, /source token 99 at element 1/);
});

test('sinusoidal positions and slopes have their published values', () => {
  const table = sinusoidalTable(3, 4);
  assert.deepEqual([...table.subarray(0, 4)], [0, 1, 0, 1]);
  assert.deepEqual([...table.subarray(8)], [Math.sin(2), Math.cos(2), Math.sin(0.02), Math.cos(0.02)]);
  assert.deepEqual([...alibiSlopes(8)], [1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64, 1 / 128, 1 / 256]);
});

test('norms and gelu have the values of their formulas', () => {
  const testbed = { ...smallTestbed(), width: 2 };
  const weights = new Map([
    ['n.weight', Float32Array.of(2, 4)],
    ['n.bias', Float32Array.of(1, -1)],
    ['r.weight', Float32Array.of(2, 4)],
  ]);
  const near = (got: Float64Array, expected: readonly number[]) =>
    expected.forEach((value, at) => assert.ok(Math.abs(got[at]! - value) < 1e-12, `${got[at]} and ${value}`));
  const layer = 1 / Math.sqrt(1 + 1e-5);
  near(normalise(Float64Array.of(3, 5), testbed, weights, 'n'), [1 - 2 * layer, 4 * layer - 1]);
  const rms = 1 / Math.sqrt(17 + 1e-5);
  near(normalise(Float64Array.of(3, 5), { ...testbed, norm: 'rms' }, weights, 'r'), [6 * rms, 20 * rms]);
  near(gelu(Float64Array.of(0, 1, -1, 30, -30)), [0, 0.8413447460685429, -0.15865525393145707, 30, 0]);
});

test('a causal testbed does not see later tokens, and items do not see each other', () => {
  const testbed = smallTestbed({ attention: ['dense', 'topk:k=3'], position: 'rotary' });
  const weights = stirredWeights(testbed);
  const batch = drawTokens(testbed, 2, 12);
  const tokens = batch.tokens.slice();
  tokens[7] = (tokens[7]! + 1) % testbed.vocabulary;
  assert.deepEqual(
    samePlaces(testbed, weights, [batch, { ...batch, tokens }]),
    range(24).map((place) => place < 7 || place >= 12),
  );
});

test('equal logits lose the logarithm of the classes, and positions that are not scored do not count', () => {
  const testbed = smallTestbed();
  const weights = stirredWeights(testbed).set('head', new Float32Array(32 * 11));
  const batch = { ...drawTokens(testbed, 2, 5), targets: new Int32Array(10).fill(-1) };
  batch.targets[3] = 7;
  assert.ok(Math.abs(referenceLoss(testbed, weights, batch) - Math.log(11)) < 1e-12);
  batch.targets[3] = -1;
  assert.throws(() => referenceLoss(testbed, weights, batch), /no position is scored/);
});

test('the loss is the mean of what each scored position loses', () => {
  const testbed = smallTestbed();
  const weights = stirredWeights(testbed);
  const batch = { ...drawTokens(testbed, 1, 3), targets: Int32Array.of(4, -1, 2) };
  const logits = referenceForward(testbed, weights, batch);
  const loss = (place: number, target: number) => {
    const of = [...logits.subarray(place * 11, (place + 1) * 11)];
    return Math.log(of.reduce((sum, each) => sum + Math.exp(each), 0)) - of[target]!;
  };
  assert.ok(Math.abs(referenceLoss(testbed, weights, batch) - (loss(0, 4) + loss(2, 2)) / 2) < 1e-12);
});

test('tokens and targets that are not the testbed’s are refused', () => {
  const testbed = smallTestbed();
  const weights = stirredWeights(testbed);
  const batch = drawTokens(testbed, 1, 3);
  const refused = (changes: object, message: RegExp) =>
    assert.throws(
      () => referenceLoss(testbed, weights, { ...batch, targets: Int32Array.of(0, 0, 0), ...changes }),
      (error: unknown) => error instanceof AttnswapError && error.code === 'INVALID_INPUTS' && message.test(error.message),
    );
  refused({ tokens: Int32Array.of(0, 23, 0) }, /token 23 at element 1, expected 0 to 22/);
  refused({ tokens: Int32Array.of(0, -1, 0) }, /token -1/);
  refused({ length: 34 }, /length is 34, expected 1 to 33/);
  refused({ items: 2 }, /3 tokens, expected 2 × 3/);
  refused({ targets: Int32Array.of(0, 11, 0) }, /target 11 at element 1, expected -1 or a class below 11/);
});

/** The same model cut off after some layers: what an exit there answers. */
function cutOff(testbed: Testbed, weights: ReadonlyMap<string, Float32Array>, layers: number) {
  const attention = testbed.attention.slice(0, layers);
  const left = [...weights].filter(([name]) => attention.length > Number(/^layers\.(\d+)/.exec(name)?.[1] ?? -1));
  return [smallTestbed({ ...testbed, attention, exits: undefined }), new Map(left)] as const;
}

for (const normPlacement of ['before', 'after'] as const)
  test(`a sequence leaves at the first exit where all its asked positions are confident; norms ${normPlacement}`, () => {
    const testbed = smallTestbed({ attention: ['dense', 'topk:k=3', 'dense', 'window:w=4'], normPlacement, exits: [0.35, null, 0.3] });
    const weights = stirredWeights(testbed);
    const items = 12;
    const batch = { ...drawTokens(testbed, items, 6), targets: Int32Array.from({ length: 72 }, (_, at) => (at % 6 === 3 ? 0 : -1)) };
    const answers = new Map([1, 3, 4].map((layers) => [layers, referenceForward(...cutOff(testbed, weights, layers), batch)]));
    const row = (layers: number, place: number) => [...answers.get(layers)!.subarray(place * 11, (place + 1) * 11)];
    const confidence = (logits: readonly number[]) => 1 / logits.reduce((sum, each) => sum + Math.exp(each - Math.max(...logits)), 0);
    const depth = (places: readonly number[]) =>
      [1, 3].find((layers) => places.every((place) => confidence(row(layers, place)) >= (layers === 1 ? 0.35 : 0.3))) ?? 4;
    const agrees = (asked: (item: number) => readonly number[], given: typeof batch | Omit<typeof batch, 'targets'>) => {
      const expected = range(items * 6).map((place) => depth(asked(Math.floor(place / 6))));
      const { logits, layers } = referenceAnswers(testbed, weights, given);
      assert.deepEqual([...layers], expected);
      assert.deepEqual(
        [...logits],
        range(items * 6).flatMap((place) => row(expected[place]!, place)),
      );
      return new Set(expected);
    };
    assert.deepEqual(
      agrees((item) => [6 * item + 3], batch),
      new Set([1, 3, 4]),
      'an exit is not tried',
    );
    const { targets: _targets, ...everywhere } = batch;
    agrees((item) => range(6).map((place) => 6 * item + place), everywhere);
    batch.targets.fill(-1);
    assert.deepEqual(
      agrees(() => [], batch),
      new Set([1]),
    );
  });

test('positions leave by themselves, and the layers that follow read their states as they left', () => {
  const n = 12;
  // A head that shows the states, and no norm in front of it.
  const identity = Float32Array.from({ length: 32 * 32 }, (_, at) => Number(at % 33 === 0));
  const attention = ['dense', 'dense', 'dense', 'dense'];
  const exits = [0.18, 0.18, 0.18];
  const testbed = smallTestbed({ attention, classes: 32, normPlacement: 'after', exitBy: 'position', exits, position: 'rotary' });
  const weights = stirredWeights(testbed).set('head', identity);
  /** A layer by itself: a model of one layer, whose embedding is its input. */
  const layer = (x: ArrayLike<number>, index: number) => {
    const one = smallTestbed({ ...testbed, vocabulary: n, attention: ['dense'], exits: undefined });
    const own = [...weights].flatMap(([name, values]) =>
      name.startsWith(`layers.${index}.`) ? [[name.replace(String(index), '0'), values] as const] : [],
    );
    const given = new Map([...own, ['embed', Float32Array.from(x)], ['head', identity]] as const);
    return referenceForward(one, given, { items: 1, length: n, tokens: Int32Array.from(range(n)) });
  };
  const batch = { ...drawTokens(testbed, 1, n), targets: Int32Array.from(range(n), (place) => (place === 4 ? -1 : 0)) };
  let x: ArrayLike<number> = [...batch.tokens].flatMap((token) => [...weights.get('embed')!.subarray(token * 32, (token + 1) * 32)]);
  const depths: number[] = new Array<number>(n).fill(4);
  for (const index of range(4)) {
    const [before, after] = [x, layer(x, index)];
    x = Float64Array.from(after, (value, at) => (depths[Math.floor(at / 32)]! <= index ? before[at]! : value));
    for (const place of range(n)) {
      const state = Array.from(x).slice(place * 32, (place + 1) * 32);
      const confidence = 1 / state.reduce((sum, each) => sum + Math.exp(each - Math.max(...state)), 0);
      if (place === 4 || confidence >= exits[0]!) depths[place] = Math.min(depths[place]!, index + 1);
    }
  }
  assert.ok(new Set(depths).size > 2, depths.join(' '));
  const { logits, layers } = referenceAnswers(testbed, weights, batch);
  assert.deepEqual([...layers], depths);
  logits.forEach((value, at) => assert.ok(Math.abs(value - x[at]!) < 1e-5, `${at}: ${value} and ${x[at]}`));
});

test('with exits the loss is the mean of all exits’ and the last layer’s', () => {
  const testbed = smallTestbed({ attention: ['dense', 'dense', 'dense'], exits: [0.5, 0.9] });
  const weights = stirredWeights(testbed);
  const batch = { ...drawTokens(testbed, 2, 5), targets: Int32Array.from({ length: 10 }, (_, at) => (at % 3) - 1) };
  const losses = [1, 2, 3].map((layers) => referenceLoss(...cutOff(testbed, weights, layers), batch));
  const mean = losses.reduce((sum, loss) => sum + loss, 0) / 3;
  assert.ok(Math.abs(referenceLoss(testbed, weights, batch) - mean) < 1e-12);
});

for (const exitBy of ['sequence', 'position'] as const)
  test(`heads say who leaves, and the loss adds what an answer is expected to cost: exits by ${exitBy}`, () => {
    // A head that shows the states, and no norm in front of it: what a model that is cut off answers is what exit heads read.
    const identity = Float32Array.from({ length: 32 * 32 }, (_, at) => Number(at % 33 === 0));
    const exits = exitBy === 'sequence' ? [0.06, null, 0.08] : [0.999, null, 0.999];
    const sizes: Partial<Testbed> = { attention: ['dense', 'dense', 'dense', 'dense'], classes: 32, normPlacement: 'after' };
    const testbed = smallTestbed({ ...sizes, exitBy, exits, layerCost: 0.25 });
    const weights = stirredWeights(testbed).set('head', identity);
    // By position all are asked: who is not leaves at once, and is read as it left.
    const isAsked = (place: number) => exitBy === 'position' || place % 6 === 3;
    const batch = { ...drawTokens(testbed, 12, 6), targets: Int32Array.from({ length: 72 }, (_, at) => (isAsked(at) ? at % 32 : -1)) };
    const plain = new Map([...weights].filter(([name]) => !name.includes('.exit.')));
    const states = new Map([1, 3, 4].map((layers) => [layers, referenceForward(...cutOff(smallTestbed(sizes), plain, layers), batch)]));
    const row = (layers: number, place: number) => [...states.get(layers)!.subarray(place * 32, (place + 1) * 32)];
    const sure = (layers: number, place: number) => {
      const [weight, bias] = ['weight', 'bias'].map((part) => [...weights.get(`layers.${layers - 1}.exit.${part}`)!]);
      return 1 / (1 + Math.exp(-dot(row(layers, place), weight!) - bias![0]!));
    };
    const asked = range(72).filter(isAsked);
    const { layers } = referenceAnswers(testbed, weights, batch);
    const expected = asked.map((place) => [1, 3].find((depth) => sure(depth, place) >= exits[depth - 1]!) ?? 4);
    assert.deepEqual(
      asked.map((place) => layers[place]),
      expected,
    );
    assert.deepEqual(new Set(expected), new Set(exitBy === 'sequence' ? [1, 3, 4] : [4]), 'an exit is not tried');
    const costs = asked.map((place) => {
      const loss = (depth: number) =>
        Math.log(row(depth, place).reduce((sum, each) => sum + Math.exp(each), 0)) - row(depth, place)[batch.targets[place]!]!;
      const [first, third] = [sure(1, place), sure(3, place)];
      const reached = [first, (1 - first) * third, (1 - first) * (1 - third)];
      return [1, 3, 4].reduce((sum, depth, at) => sum + loss(depth) / 3 + reached[at]! * (loss(depth) + 0.25 * depth), 0);
    });
    const mean = costs.reduce((sum, cost) => sum + cost, 0) / costs.length;
    assert.ok(Math.abs(referenceLoss(testbed, weights, batch) - mean) < 1e-5);
  });

test('a head just past leaving learns to stay where deeper layers are better, by position, too', () => {
  for (const exitBy of ['sequence', 'position'] as const) {
    const testbed = smallTestbed({ exitBy, exits: [0.1], layerCost: 0.01 });
    const weights = stirredWeights(testbed);
    const drawn = drawTokens(testbed, 4, 6);
    const deep = referenceForward({ ...testbed, exits: undefined }, weights, drawn);
    const best = range(24).map((place) => {
      const row = [...deep.subarray(place * 11, (place + 1) * 11)];
      return row.indexOf(Math.max(...row));
    });
    const batch = { ...drawn, targets: Int32Array.from(best) };
    const biased = (bias: number) => new Map([...weights, ['layers.0.exit.bias', Float32Array.of(bias)]]);
    const { layers } = referenceAnswers(testbed, biased(2), batch);
    assert.deepEqual(new Set(layers), new Set([1]), 'nothing is past leaving');
    const slope = referenceLoss(testbed, biased(2.01), batch) - referenceLoss(testbed, biased(1.99), batch);
    assert.ok(slope > 0, `${exitBy}: ${slope}`);
  }
});

test('in training with heads, states are copied of positions that are not asked alone, whatever the confidence', () => {
  const attention = ['dense', 'dense', 'dense'];
  const testbed = smallTestbed({ attention, exitBy: 'position', exits: [0.02, 0.02], layerCost: 0.01 });
  const weights = stirredWeights(testbed);
  const asked = { ...drawTokens(testbed, 2, 6), targets: Int32Array.from(range(12)) };
  asked.targets[11] = 0;
  const lossOf = (changes: Partial<Testbed>, batch = asked) => referenceLoss({ ...testbed, ...changes }, weights, batch);
  assert.equal(lossOf({}), lossOf({ exits: [0.999, 0.999] }));
  assert.equal(lossOf({}), lossOf({ exitBy: 'sequence' }));
  const some = { ...asked, targets: asked.targets.map((target, at) => (at % 2 === 0 ? -1 : target)) };
  assert.equal(lossOf({}, some), lossOf({ exits: [0.999, 0.999] }, some));
  assert.notEqual(lossOf({}, some), lossOf({ exitBy: 'sequence' }, some));
});

test('shared layers do what layers with the same weights do', () => {
  const attention = ['gated:rank=2', 'gated:rank=2', 'gated:rank=2'];
  const shared = smallTestbed({ attention, sharedLayers: true });
  const weights = stirredWeights(shared);
  const copies = range(3).flatMap((layer) =>
    [...weights].map(([name, values]) => [name.replace(/^layers\.0\./, `layers.${layer}.`), values] as const),
  );
  const batch = drawTokens(shared, 2, 9);
  assert.deepEqual(referenceForward(shared, weights, batch), referenceForward(smallTestbed({ attention }), new Map(copies), batch));
});

test('exits that no model can have are refused by name', () => {
  const refused = (changes: Partial<Testbed>, message: RegExp) =>
    assert.throws(() => readTestbed({ ...smallTestbed(), ...changes }, 'mine'), { code: 'INVALID_PARAMETERS', message });
  refused({ exits: [0.5, 0.5] }, /^mine: exits: 2 given, expected one for each layer except the last: 1$/);
  refused({ attention: ['dense'], exits: [0.5] }, /^mine: exits: 1 given, .*: 0$/);
  refused({ exits: [0] }, /^mine: exits\.0: .*>0/);
  refused({ exits: [1.1] }, /^mine: exits\.0: .*<=1/);
  refused({ exits: [1] }, /^mine: exits\.0 is 1, expected at most 1 − 2⁻²⁰$/);
  refused({ exits: [0.5], layerCost: 0 }, /^mine: layerCost: .*>0/);
  refused({ exits: [0.9999999] }, /^mine: exits\.0 is 0\.9999999, expected/);
});

test('attention that a testbed cannot have at any length is refused by name', () => {
  const refused = (changes: Partial<Testbed>, message: RegExp) =>
    assert.throws(() => readTestbed({ ...smallTestbed(), ...changes }, 'mine'), { code: 'INVALID_PARAMETERS', message });
  refused({ attention: ['dense', 'topk:k=5'], sharedLayers: true }, /^mine: attention: shared layers need the same attention in each$/);
  refused(
    { encoder: { length: 8, attention: ['dense'], cross: ['dense', 'dense'] }, sharedLayers: true },
    /a model with an encoder has no shared layers/,
  );
  assert.equal(smallTestbed({ attention: ['dense', 'topk:k=5'], sharedLayers: false }).sharedLayers, false);
  const encoder = { length: 8, attention: ['dense'], cross: ['dense', 'dense'] };
  for (const changes of [{ layerCost: 0.1 }, { exits: [0.5] }])
    refused({ encoder, ...changes }, /^mine: encoder: a model with an encoder has no exits and no layerCost$/);
  refused({ attention: ['linear'], position: 'alibi' }, /^mine: linear: linear has no logits that position alibi could be added to$/);
  refused(
    { attention: ['window:w=4', 'window:w=8'], exitBy: 'position', exits: [0.5] },
    /^mine: window:w=8: layers behind an exit by position need attention that computes some rows alone: dense, topk$/,
  );
  refused({ attention: ['linear:rule=delta'], causal: false }, /^mine: linear:rule=delta: linear with rule=delta is causal only/);
});
