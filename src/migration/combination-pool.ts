import { drawBelow, seededGenerator } from '../statistics/resample.ts';
import { solveKnapsack } from './knapsack.ts';
import type { Choice } from './knapsack.ts';
import { assignmentKey } from './search-problem.ts';
import type { Assignment } from './search-problem.ts';

/** Up to as many assignments all are considered. */
const mostCombinations = 20_000;
/** Random pairs of changes tried at each assignment of the front. */
const randomChanges = 20;
/** Interactions may make a combination this much cheaper than its sites alone add up to. */
const reach = 3;

/**
 * The assignments to choose from: all of them where they are few; else the best additive ones for every budget up to three times the largest,
 * every assignment that differs from one of those at one site, and some, drawn by `seed`, that differ at two.
 */
export function combinationPool(choices: readonly (readonly Choice[])[], budget: number, seed: number): Assignment[] {
  const total = choices.reduce((product, { length }) => product * length, 1);
  if (total <= mostCombinations) {
    return choices.reduce<number[][]>((heads, site) => heads.flatMap((head) => site.map(({ candidate }) => [...head, candidate])), [[]]);
  }
  const generator = seededGenerator(seed, 'combination-pool');
  const pool = new Map<string, Assignment>();
  const add = (assignment: Assignment) => pool.size < mostCombinations && pool.set(assignmentKey(assignment), assignment);
  const { front } = solveKnapsack(choices, reach * budget);
  for (const { assignment } of front) add(assignment);
  for (const { assignment } of front) {
    for (const [site, list] of choices.entries()) for (const { candidate } of list) add(assignment.with(site, candidate));
    const redraw = (from: Assignment) => {
      const site = drawBelow(generator, choices.length);
      return from.with(site, choices[site]![drawBelow(generator, choices[site]!.length)]!.candidate);
    };
    for (let change = 0; change < randomChanges; change += 1) add(redraw(redraw(assignment)));
  }
  return [...pool.values()];
}
