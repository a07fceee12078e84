import assert from 'node:assert/strict';
import test from 'node:test';
import { createCaseInputs } from './case-inputs.ts';
import { conformanceCases } from './cases.ts';
import { findVariant, variants } from './index.ts';
import { judgeOutput } from './judge.ts';
import { referenceOutput } from './reference.ts';

test('every case has a name and a seed of its own, and no variant refuses its cases', () => {
  assert.equal(new Set(conformanceCases.map(({ name }) => name)).size, conformanceCases.length);
  assert.equal(new Set(conformanceCases.map(({ seed }) => seed)).size, conformanceCases.length);
  for (const { variant, parameters, shape } of conformanceCases) assert.equal(findVariant(variant).refuses(parameters, shape), undefined);
});

test('the cases of every variant hold every length, causal and not, padding, groups, other query counts and ties', () => {
  for (const { name, tokens } of variants) {
    const cases = conformanceCases.filter(({ variant }) => variant === name);
    for (const length of [1, 2, 7, 63, 64, 65, 511, 512, 513, 1000]) {
      for (const causal of [true, false])
        assert.ok(cases.some(({ shape }) => shape.queries === length && shape.keys === length && shape.causal === causal));
    }
    for (const length of [4095, 4096]) assert.ok(cases.some(({ shape, slow }) => shape.keys === length && slow));
    for (const mask of ['tail', 'left', 'holes', 'element']) assert.ok(cases.some((one) => one.mask === mask));
    assert.ok(cases.some(({ shape }) => shape.kvHeads < shape.heads));
    assert.equal(
      cases.some(({ shape }) => shape.queries === 1 && shape.keys > 1),
      tokens === undefined,
    );
    assert.ok(cases.some(({ exactLogits }) => exactLogits) && cases.some(({ scale }) => scale !== undefined));
  }
});

test('the same case draws the same tensors, and its integers are whole', () => {
  for (const one of conformanceCases.filter(({ shape }) => shape.keys === 64).slice(0, 40)) {
    assert.deepEqual(createCaseInputs(one), createCaseInputs(one));
    if (one.exactLogits) assert.ok(createCaseInputs(one).key.every(Number.isInteger));
  }
});

test('the reference, rounded to f32, passes its own cases with few ambiguous rows', () => {
  for (const one of conformanceCases.filter(({ shape }) => shape.queries * shape.keys <= 10_000)) {
    const inputs = createCaseInputs(one);
    const variant = findVariant(one.variant);
    const output = Float32Array.from(referenceOutput(inputs, variant, one.parameters));
    const judgement = judgeOutput(output, inputs, variant, one.parameters, { rows: 'all', exactLogits: one.exactLogits });
    assert.ok(judgement.ok, `${one.name}: ${judgement.reason}`);
  }
});
