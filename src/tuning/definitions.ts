import type { Tuning } from '../contract/tuning.ts';

/** What a tuning's suite does not say. */
export interface Definitions {
  /** Which definition of early exits models were trained and scored by; absent where there are none, and before there was a second one. */
  readonly exitsDefinition?: number;
  /** Which definition of learned positions models began with; absent where there are none, and before there was a second one. */
  readonly positionsDefinition?: number;
  /** Which definition of the task items and first weights were drawn by; absent for a task's first one. */
  readonly taskDefinition?: number;
}

/** Changed with what exits mean, how they are trained, or what is recorded of them. */
const exitsDefinition = 3;

/** Changed with the first values of learned positions. */
const positionsDefinition = 2;

/**
 * Of tasks whose items or first weights are no longer what the same text stood for: `digits` begins with a class token, held-out images of `digits` and
 * `clips` look like no others, and `hops` shows far pointers first.
 */
const taskDefinitions: Readonly<Record<string, number>> = { clips: 2, digits: 3, hops: 3 };

/** Part of a tuning's settings, so that one that began under other definitions is not continued. */
export function definitionsOf({ task, space }: Pick<Tuning, 'task' | 'space'>): Definitions {
  const taskDefinition = taskDefinitions[/^\s*([a-z]*)/.exec(task)![1]!];
  return {
    ...(space.exits?.some((exits) => exits !== null) === true && { exitsDefinition }),
    ...(space.position.includes('learned') && { positionsDefinition }),
    ...(taskDefinition !== undefined && { taskDefinition }),
  };
}
