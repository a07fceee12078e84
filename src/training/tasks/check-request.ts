import { AttnswapError } from '../../contract/errors.ts';
import { splits } from '../task.ts';
import type { Split, Task } from '../task.ts';

/** What is asked of a task. */
export interface ItemsRequest {
  readonly split: Split;
  readonly count: number;
  readonly seed: number;
}

/** Tokens of one request at most: arrays of 1 GiB each. */
const mostTokens = 2 ** 28;

/** @throws INVALID_PARAMETERS naming the task, got and expected */
export function checkRequest({ name: task, length }: Pick<Task, 'name' | 'length'>, { split, count, seed }: ItemsRequest): void {
  if (!splits.includes(split)) throw requestError(task, `split is ${JSON.stringify(split)}, expected one of ${splits.join(', ')}`);
  if (!Number.isSafeInteger(count) || count < 1) throw requestError(task, `${count} items, expected a whole number ≥ 1`);
  if (count * length > mostTokens)
    throw requestError(task, `${count} items of ${length} tokens, expected at most ${mostTokens} tokens`, 'request fewer at a time');
  if (!Number.isSafeInteger(seed)) throw requestError(task, `seed is ${seed}, expected a whole number`);
}

export function requestError(task: string, problem: string, hint?: string): AttnswapError {
  return new AttnswapError('INVALID_PARAMETERS', `${task}: ${problem}`, hint === undefined ? {} : { hint });
}
