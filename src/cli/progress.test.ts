import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { mock, test } from 'node:test';
import { progressLine, progressText } from './progress.ts';

test('a line of progress has what is done, the share and the time left', () => {
  assert.equal(progressText({ what: 'dense.fused', done: 3, total: 12 }, 30), '[4/12] dense.fused · 25 % · about 2 min left');
  assert.equal(progressText({ what: 'dense.fused', done: 0, total: 12 }, 30), '[1/12] dense.fused · 0 %');
  assert.equal(progressText({ what: 'final', done: 8, total: 9, share: 0.5 }, 30), '[9/9] final · 50 % · about 30 s left');
  assert.equal(progressText({ what: 'final', done: 6, total: 8 }, 30, 0.5), '[7/8] final · 75 % · about 30 s left', 'half was done before');
  assert.equal(progressText({ what: 'epoch 2 of 9', secondsLeft: 3900 }, 5), 'epoch 2 of 9 · at most 1 h 5 min left');
  assert.equal(progressText({ what: 'baseline: quality' }, 5), 'baseline: quality');
  assert.equal(progressText({ what: 'a\u001b[2Jb' }, 5), 'a\\u001b[2Jb', 'names of others move no cursor');
});

test('where there is no terminal the first step is told at once, then a line every ten seconds', () => {
  mock.timers.enable({ apis: ['setInterval'] });
  const lines: string[] = [];
  const stream = new Writable({ write: (chunk: Buffer, _encoding, done) => (lines.push(chunk.toString()), done()) });
  const line = progressLine({}, stream as unknown as NodeJS.WriteStream);
  for (let done = 0; done < 5; done++) line.update({ what: `cell ${done}`, done, total: 5 });
  assert.equal(lines.length, 1);
  mock.timers.tick(10_000);
  mock.timers.tick(10_000);
  line.stop();
  mock.timers.tick(60_000);
  assert.deepEqual(
    lines.map((text) => text.split(' · ')[0]),
    ['[1/5] cell 0', '[5/5] cell 4', '[5/5] cell 4'],
  );
  mock.timers.reset();
});

test('waiting without an end is said once', () => {
  mock.timers.enable({ apis: ['setInterval'] });
  const lines: string[] = [];
  const stream = new Writable({ write: (chunk: Buffer, _encoding, done) => (lines.push(chunk.toString()), done()) });
  const line = progressLine({}, stream as unknown as NodeJS.WriteStream);
  line.update({ what: 'waiting', idle: true });
  mock.timers.tick(60_000);
  line.update({ what: 'cell', done: 0, total: 1 });
  mock.timers.tick(10_000);
  line.update({ what: 'waiting', idle: true });
  mock.timers.tick(60_000);
  line.stop();
  assert.deepEqual(
    lines.map((text) => text.split(' · ')[0]!.trim()),
    ['waiting', '[1/1] cell', 'waiting'],
  );
  mock.timers.reset();
});

test('--quiet says nothing', () => {
  const lines: string[] = [];
  const stream = new Writable({ write: (chunk: Buffer, _encoding, done) => (lines.push(chunk.toString()), done()) });
  const line = progressLine({ quiet: true }, stream as unknown as NodeJS.WriteStream);
  line.update({ what: 'cell' });
  line.stop();
  assert.deepEqual(lines, []);
});
