import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RandomStream } from '../inputs/random.ts';
import { nextJob, rungsOf, winnerOf } from './halving.ts';

/** Runs jobs until none is left, with a score by contestant and rung; what was run, in order. */
function run(count: number, rungs: number, reduction: number, score: (contestant: number, rung: number) => number) {
  const contestants = Array.from({ length: count }, () => ({ scores: [] as number[] }));
  const jobs: string[] = [];
  for (let job = nextJob(contestants, rungs, reduction); job !== undefined; job = nextJob(contestants, rungs, reduction)) {
    assert.equal(contestants[job.contestant]!.scores.length, job.rung, 'a rung is left out');
    contestants[job.contestant]!.scores.push(score(job.contestant, job.rung));
    jobs.push(`${job.contestant}@${job.rung}`);
  }
  return { contestants, jobs };
}

test('rungs are whole epochs, each the reduction times the one before, the last all of them', () => {
  assert.deepEqual(rungsOf(8, 2), [2, 4, 8]);
  assert.deepEqual(rungsOf(9, 3), [3, 9]);
  assert.deepEqual(rungsOf(7, 2), [2, 4, 7]);
  assert.deepEqual(rungsOf(2, 2), [2]);
  assert.deepEqual(rungsOf(1, 2), [1]);
  assert.deepEqual(rungsOf(8, 2, 4), [4, 8]);
  assert.deepEqual(rungsOf(8, 2, 5), [8]);
});

test('the best is promoted as soon as its rung holds enough, before new trials begin', () => {
  const { jobs, contestants } = run(4, 3, 2, (contestant) => contestant);
  assert.deepEqual(jobs, ['0@0', '1@0', '1@1', '2@0', '2@1', '2@2', '3@0', '3@1', '3@2']);
  assert.equal(winnerOf(contestants, 0), 3);
});

test('one always arrives at the last rung, alone or not, and a trial that diverged is not it', () => {
  assert.deepEqual(run(1, 3, 2, () => 1).jobs, ['0@0', '0@1', '0@2']);
  const { contestants } = run(3, 2, 4, (contestant) => (contestant === 0 ? Number.NaN : contestant === 1 ? 0.4 : 0.3));
  assert.equal(winnerOf(contestants, 0), 1);
  assert.equal(contestants[1]!.scores.length, 2);
});

test('of those within the margin of the best score, who answers after the fewest layers wins', () => {
  const of = (scores: readonly number[], layers: readonly number[]) => ({ scores, layers });
  const [deep, early, hasty] = [of([0.5, 0.99], [6, 6]), of([0.9, 0.98], [3, 2.5]), of([0.2, 0.9], [1, 1])];
  assert.equal(winnerOf([deep, early, hasty], 0.02), 1);
  assert.equal(winnerOf([deep, early, hasty], 0.001), 0);
  assert.equal(winnerOf([deep, early, hasty], 0.1), 2);
  assert.equal(winnerOf([deep, of([0.99], [1])], 0.1), 0, 'who came less far is not compared');
  assert.equal(winnerOf([{ scores: [-2.6] }, { scores: [-2.5] }], 0.1), 1, 'without depths the best wins');
  assert.equal(winnerOf([of([Number.NaN], [1]), of([Number.NaN], [0])], 0.1), 0);
});

test('whatever the scores, nobody runs a rung twice, and less is trained than everybody to the end', () => {
  const stream = new RandomStream(1, 'halving');
  for (let round = 0; round < 200; round++) {
    const count = 1 + Math.floor(stream.uniform() * 20);
    const reduction = 2 + Math.floor(stream.uniform() * 3);
    const { jobs, contestants } = run(count, 3, reduction, () => stream.uniform());
    assert.equal(new Set(jobs).size, jobs.length);
    assert.ok(contestants.every(({ scores }) => scores.length >= 1));
    assert.ok(contestants.some(({ scores }) => scores.length === 3));
    if (count >= 4) assert.ok(jobs.length < 3 * count);
    const last = contestants.filter(({ scores }) => scores.length === 3).map(({ scores }) => scores[2]!);
    assert.equal(contestants[winnerOf(contestants, 0)]!.scores[2], Math.max(...last));
  }
});
