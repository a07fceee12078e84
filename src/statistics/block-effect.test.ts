import assert from 'node:assert/strict';
import test from 'node:test';
import { blockEffect } from './block-effect.ts';
import { seededGenerator } from './resample.ts';

const near = (got: number, wanted: number) => assert.ok(Math.abs(got - wanted) < 1e-12, `${got}, expected ${wanted}`);

test('equal samples differ by nothing, and a change of one arm is the effect', () => {
  near(blockEffect([{ base: [1, 2, 3], new: [3, 1, 2] }]), 0);
  near(blockEffect([{ base: [1, 2, 3], new: [1.1, 2.1, 3.1] }]), 0.1);
});

test('the pace of a round leaves no trace', () => {
  const rounds = [
    { base: [0, 0.01, 0.02, 0.03], new: [0.1, 0.11, 0.12, 0.13] },
    { base: [0.02, 0.01, 0, 0.03], new: [0.11, 0.13, 0.1, 0.12] },
  ];
  const paced = rounds.map((round, index) => ({
    base: round.base.map((log) => log + 7 * index),
    new: round.new.map((log) => log + 7 * index),
  }));
  near(blockEffect(paced), blockEffect(rounds));
});

test('what is added to one arm is added to the effect, whatever the noise', () => {
  const random = seededGenerator(3, 'noisy rounds');
  const draw = () => Array.from({ length: 8 }, (_, index) => (random.next() / 2 ** 31) * 0.05 + (index < 3 ? Math.LN2 : 0));
  const rounds = Array.from({ length: 5 }, () => ({ base: draw(), new: draw().slice(0, 6) }));
  for (const effect of [0.02, -0.1, 0.7])
    near(blockEffect(rounds.map((round) => ({ ...round, new: round.new.map((log) => log + effect) }))), blockEffect(rounds) + effect);
});

test('the arms change places', () => {
  const rounds = [
    { base: [0.3, 0.1, 0.9, 0.2], new: [0.5, 0.4, 0.35, 2] },
    { base: [0.2, 0.15, 0.1, 0.4], new: [0.5, 0.3, 0.2, 0.25] },
  ];
  near(blockEffect(rounds.map((round) => ({ base: round.new, new: round.base }))), -blockEffect(rounds));
});

test('calls that take twice as long in a third of the samples of either arm move it by less than the rest of the noise does', () => {
  const random = seededGenerator(1, 'disturbed calls');
  const draw = (disturbed: number) =>
    Array.from({ length: 8 }, (_, index) => (random.next() / 2 ** 31) * 0.01 + (index < disturbed ? Math.LN2 : 0));
  const rounds = Array.from({ length: 4 }, (_, round) => ({ base: draw(round % 2 === 0 ? 4 : 1), new: draw(round % 2 === 0 ? 1 : 4) }));
  assert.ok(Math.abs(blockEffect(rounds)) < 0.02, String(blockEffect(rounds)));
});

test('calls of one arm that are often disturbed do not move a low quantile', () => {
  const rounds = Array.from({ length: 2 }, () => ({
    base: [0, 0.01, 0.02, 0.03, 0, 0.01, 0.02, 0.03],
    new: [0, 0.01, 0.02, 0.5, 0.6, 0.7, 0.8, 0.9],
  }));
  assert.ok(Math.abs(blockEffect(rounds, 0.15)) < 0.011, String(blockEffect(rounds, 0.15)));
  assert.ok(blockEffect(rounds) > 0.1);
});

test('an arm without a sample has no effect', () => {
  assert.throws(() => blockEffect([]), RangeError);
  assert.throws(() => blockEffect([{ base: [1], new: [] }]), RangeError);
});
