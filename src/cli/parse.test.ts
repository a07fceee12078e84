import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvalidArgumentError } from 'commander';
import { percentage, recovery } from './parse.ts';

test('per cent are read with and without their sign', () => {
  assert.deepEqual(['5', '2.5', '0.5', '5%', '5 %', '0.05%', '1000'].map(percentage), [0.05, 0.025, 0.005, 0.05, 0.05, 0.0005, 10]);
});

test('what may be meant as a share is asked back, with both ways to write it', () => {
  for (const [text, whole] of [
    ['0.05', '5'],
    ['.02', '2'],
    ['0.099', '9.9'],
  ] as const) {
    assert.throws(
      () => percentage(text),
      (error: Error) =>
        error instanceof InvalidArgumentError &&
        error.message.includes(`write ${whole} for ${whole} %`) &&
        error.message.includes(`${text}%`),
    );
  }
});

test('what is no number of per cent is refused', () => {
  for (const text of ['', '%', '0', '-5', 'five', '5%%', '1001', 'Infinity'])
    assert.throws(() => percentage(text), InvalidArgumentError, text);
});

test('steps of either stage may be 0, and what is refused is told with what is expected', () => {
  assert.deepEqual(recovery('transfer:steps=0,labels=400,lr=0.01'), { steps: 0, labels: 400, learningRate: 0.01 });
  for (const part of ['rank=0', 'batch=1.5', 'lr=0', 'labels=-1', 'size=3'])
    assert.throws(() => recovery(`transfer:${part}`), {
      message: `${part}: expected steps, labels or patience (whole numbers from 0), rank or batch (whole numbers from 1), or lr (a number above 0)`,
    });
});
