/** A choice at one site: what it loses and what it saves, both counted from the original. */
export interface Choice {
  readonly candidate: number;
  /** At least 0. */
  readonly loss: number;
  /** Seconds a call. */
  readonly saving: number;
}

export interface Combination {
  /** Candidate of each site. */
  readonly assignment: readonly number[];
  readonly loss: number;
  readonly saving: number;
}

export interface KnapsackFront {
  /** Best combinations for every budget up to the given one: losses and savings both rise. */
  readonly front: readonly Combination[];
  /** False where there were too many combinations: then losses were told apart to a 1/`mostStates` of the budget only. */
  readonly exact: boolean;
}

const mostStates = 20_000;

interface State {
  readonly loss: number;
  readonly saving: number;
  readonly candidate: number;
  readonly before: State | null;
}

/**
 * The multiple-choice knapsack for every budget at once: one choice a site, losses add up to at most `budget`, savings as large as can be.
 * Dynamic programming over sites; after each, only states are kept that no other one beats (Nemhauser and Ullmann, Management Science 15, 1969),
 * so the answer is exact. Where more than 20 000 remain, the best saving of each of 20 000 steps of loss is kept.
 * Each site's choices must hold the original, of no loss.
 */
export function solveKnapsack(sites: readonly (readonly Choice[])[], budget: number): KnapsackFront {
  let states: State[] = [{ loss: 0, saving: 0, candidate: 0, before: null }];
  let exact = true;
  for (const choices of sites) {
    const next: State[] = [];
    for (const before of states) {
      for (const { candidate, loss, saving } of choices) {
        if (before.loss + loss <= budget) {
          next.push({ loss: before.loss + loss, saving: before.saving + saving, candidate, before });
        }
      }
    }
    states = undominated(next);
    if (states.length > mostStates) {
      exact = false;
      states = thinned(states, budget);
    }
  }
  return { front: states.map((state) => combinationOf(state)), exact };
}

/** Losses strictly rise, and so do savings; of equal ones the first stays. */
function undominated(states: State[]): State[] {
  let best = -Infinity;
  return states
    .sort((a, b) => a.loss - b.loss || b.saving - a.saving)
    .filter(({ saving }) => {
      if (saving <= best) return false;
      best = saving;
      return true;
    });
}

/** The last, so the best, state of each step of loss. */
function thinned(states: readonly State[], budget: number): State[] {
  const step = (state: State) => Math.floor((state.loss / budget) * mostStates);
  return states.filter((state, index) => index === states.length - 1 || step(state) < step(states[index + 1]!));
}

function combinationOf({ loss, saving, ...last }: State): Combination {
  const assignment: number[] = [];
  for (let state: State = { loss, saving, ...last }; state.before !== null; state = state.before) assignment.unshift(state.candidate);
  return { assignment, loss, saving };
}
