import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededGenerator } from '../statistics/resample.ts';
import { solveKnapsack } from './knapsack.ts';
import { searchAssignments } from './search.ts';
import type { Assignment, SearchProblem } from './search-problem.ts';

type Interaction = 'additive' | 'pairs' | 'amplified' | 'saturating';
interface Instance {
  readonly saving: readonly (readonly number[])[];
  loss(assignment: Assignment): number;
}
const budget = 0.6;

/** Losses of sites alone are products of uniforms, a tenth of the candidates are slower than the original. */
function instance(seed: number, interaction: Interaction, sites = 5, candidates = 3): Instance {
  const generator = seededGenerator(seed, 'instance');
  const uniform = () => ((generator.next() >>> 0) + 0.5) / 2 ** 32;
  const saving = Array.from({ length: sites }, () => [0, ...Array.from({ length: candidates }, () => uniform() - 0.1)]);
  const alone = saving.map((row) => row.map((_, candidate) => (candidate === 0 ? 0 : uniform() * uniform())));
  const pairs = alone.map((a) => a.map((x) => alone.map((b) => b.map((y) => (uniform() - 0.3) * Math.sqrt(x * y)))));
  const loss = (assignment: Assignment) => {
    const losses = assignment.map((candidate, site) => alone[site]![candidate]!);
    const sum = losses.reduce((total, value) => total + value, 0);
    const squares = losses.reduce((total, value) => total + value ** 2, 0);
    if (interaction === 'amplified') return sum + 0.5 * (sum ** 2 - squares);
    if (interaction === 'saturating') return Math.sqrt(squares);
    if (interaction === 'additive') return sum;
    let together = 0;
    for (const [j, b] of assignment.entries()) for (let i = 0; i < j; i += 1) together += pairs[i]![assignment[i]!]![j]![b]!;
    return Math.max(0, sum + together);
  };
  return { saving, loss };
}

const problem = ({ saving, loss }: Instance, more: Partial<SearchProblem> = {}): SearchProblem => ({
  saving,
  quality: (assignment) => Promise.resolve({ loss: loss(assignment) }),
  budget,
  maxEvaluations: 40,
  seed: 1,
  ...more,
});

function everyAssignment({ saving }: Instance): number[][] {
  return saving.reduce<number[][]>((heads, row) => heads.flatMap((head) => row.map((_, candidate) => [...head, candidate])), [[]]);
}

function optimum(given: Instance): number {
  const savings = everyAssignment(given).filter((assignment) => given.loss(assignment) <= budget);
  return Math.max(...savings.map((assignment) => assignment.reduce((sum, candidate, site) => sum + given.saving[site]![candidate]!, 0)));
}

async function trial(interaction: Interaction, instances: number) {
  let [found, gap, evaluations] = [0, 0, 0];
  for (let seed = 0; seed < instances; seed += 1) {
    const given = instance(seed, interaction);
    const result = await searchAssignments(problem(given));
    assert.ok(result.best.loss <= budget && result.evaluations <= 40);
    const best = optimum(given);
    const missed = best === 0 ? 0 : 1 - result.best.saving / best;
    assert.ok(missed > -1e-9, 'no search beats brute force');
    if (missed < 1e-9) found += 1;
    gap += missed / instances;
    evaluations += result.evaluations / instances;
  }
  return { found: found / instances, gap, evaluations };
}

test('of 200 additive instances of 1024 assignments the optimum is always found, in some 20 evaluations', async (context) => {
  const { found, gap, evaluations } = await trial('additive', 200);
  context.diagnostic(`found ${found}, mean gap ${gap}, evaluations ${evaluations}`);
  assert.equal(found, 1);
  assert.ok(evaluations < 25, `${evaluations}`);
});

for (const interaction of ['pairs', 'amplified', 'saturating'] as const) {
  test(`of 200 instances with ${interaction} interactions the optimum is found in nearly all, and the mean gap is below .5 %`, async (context) => {
    const { found, gap, evaluations } = await trial(interaction, 200);
    context.diagnostic(`found ${found}, mean gap ${gap}, evaluations ${evaluations}`);
    assert.ok(found >= 0.92 && gap < 0.005 && evaluations < 30, `${found} ${gap} ${evaluations}`);
  });
}

test('the knapsack is exact for every budget up to the largest', () => {
  const given = instance(7, 'additive');
  const choices = given.saving.map((row, site) =>
    row.map((saving, candidate) => ({ candidate, saving, loss: given.loss(given.saving.map((_, at) => (at === site ? candidate : 0))) })),
  );
  const { front, exact } = solveKnapsack(choices, budget);
  assert.ok(exact);
  for (const limit of [0, 0.05, 0.1, 0.3, 0.6]) {
    const all = everyAssignment(given).filter((assignment) => given.loss(assignment) <= limit);
    const best = Math.max(
      ...all.map((assignment) => assignment.reduce((sum, candidate, site) => sum + given.saving[site]![candidate]!, 0)),
    );
    const answer = front.findLast(({ loss }) => loss <= limit)!;
    assert.ok(Math.abs(answer.saving - best) < 1e-12, `${limit}: ${answer.saving}, ${best}`);
    assert.ok(Math.abs(given.loss(answer.assignment) - answer.loss) < 1e-12);
  }
});

test('an interrupted search that goes on from what was measured ends as the uninterrupted one, without measuring again', async () => {
  const given = instance(3, 'pairs');
  const whole = await searchAssignments(problem(given));
  const known = new Map<string, number>();
  let calls = 0;
  const quality = (assignment: Assignment) => {
    calls += 1;
    if (calls === 9) throw new Error('the power failed');
    return Promise.resolve({ loss: given.loss(assignment) });
  };
  const onMeasured = (key: string, loss: number) => void known.set(key, loss);
  await assert.rejects(searchAssignments(problem(given, { quality, onMeasured })), /the power failed/);
  assert.equal(known.size, 8);
  const resumed = await searchAssignments(problem(given, { quality, known }));
  assert.deepEqual({ ...resumed, freshEvaluations: whole.freshEvaluations }, whole);
  assert.equal(resumed.freshEvaluations, whole.evaluations - 8);
});

test('prunes what saves nothing without measuring it, what another beats, and what alone is beyond the budget', async () => {
  const seen: string[] = [];
  const losses = [0, 0.1, 0.2, 0.9, 0];
  const result = await searchAssignments({
    saving: [
      [0, 3, 2, 5, -1],
      [0, 1],
    ],
    quality: ([first, second]) => {
      seen.push(`${first},${second}`);
      return Promise.resolve({ loss: losses[first!]! + 0.2 * second! });
    },
    budget: 0.35,
    maxEvaluations: 20,
    seed: 1,
  });
  assert.deepEqual(
    result.pruned.map(({ site, candidate }) => [site, candidate]),
    [
      [0, 2],
      [0, 3],
      [0, 4],
    ],
  );
  assert.deepEqual(seen, ['3,0', '1,0', '2,0', '0,1', '1,1']);
  assert.equal(result.best.key, '1,1');
  assert.deepEqual(
    result.front.map(({ key }) => key),
    ['0,0', '1,0', '1,1', '3,0'],
  );
  assert.equal(result.stopped, 'converged');
});

test('keeps the original where every swap loses too much, and a model of no use is never best', async () => {
  const given = instance(1, 'additive');
  const result = await searchAssignments(problem(given, { quality: () => Promise.resolve({ loss: Infinity }) }));
  assert.equal(result.best.key, '0,0,0,0,0');
  assert.equal(result.correlation, null);
});

test('steps back from a predicted best that loses more than predicted', async () => {
  const quality = (assignment: Assignment) => {
    const changed = assignment.filter((candidate) => candidate > 0).length;
    return Promise.resolve({ loss: changed === 3 ? 1 : 0.1 * changed });
  };
  const result = await searchAssignments({
    saving: [
      [0, 1],
      [0, 2],
      [0, 3],
    ],
    quality,
    budget: 0.3,
    maxEvaluations: 10,
    seed: 1,
  });
  assert.equal(result.best.key, '0,1,1');
  assert.equal(result.measured.find(({ key }) => key === '1,1,1')!.loss, 1);
});

test('spends no more than it may, and leaves a third of it for combinations', async () => {
  const result = await searchAssignments(problem(instance(2, 'amplified', 8, 4), { maxEvaluations: 12 }));
  assert.equal(result.evaluations, 12);
  assert.equal(result.stopped, 'spent');
  const alone = result.measured.filter(({ assignment }) => assignment.filter((candidate) => candidate > 0).length === 1);
  assert.equal(alone.length, 8);
});

test('twelve sites of four candidates are too many to consider all: additive losses still give the exact knapsack’s answer', async () => {
  const given = instance(5, 'additive', 12, 4);
  const result = await searchAssignments(problem(given, { maxEvaluations: 120 }));
  assert.equal(result.exhaustive, false);
  const choices = given.saving.map((row, site) =>
    row.map((saving, candidate) => ({ candidate, saving, loss: given.loss(given.saving.map((_, at) => (at === site ? candidate : 0))) })),
  );
  assert.ok(result.best.saving >= solveKnapsack(choices, budget).front.at(-1)!.saving - 1e-9);
});

test('a malformed problem or loss is an error that names it', async () => {
  const given = instance(1, 'additive');
  const refused = (more: Partial<SearchProblem>, message: RegExp) =>
    assert.rejects(searchAssignments(problem(given, more)), { code: 'INVALID_MIGRATION', message });
  await refused({ saving: [] }, /no sites/);
  await refused({ saving: [[1, 2]] }, /saving\[0\]\[0\] is 1/);
  await refused({ saving: [[0, NaN]] }, /saving\[0\]\[1\] is NaN/);
  await refused({ budget: -1 }, /budget is -1/);
  await refused({ maxEvaluations: 0 }, /maxEvaluations is 0/);
  await refused({ known: new Map([['1,0,0,0,0', NaN]]) }, /known loss of 1,0,0,0,0 is NaN/);
  await refused({ quality: () => Promise.resolve({ loss: -1 }) }, /loss of assignment .* is -1/);
});
