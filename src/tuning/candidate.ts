import { AttnswapError } from '../contract/errors.ts';
import type { Tuning } from '../contract/tuning.ts';
import type { Task } from '../training/task.ts';
import type { Site } from '../training/testbed.ts';

const places = ['all', 'self', 'cross'] as const;

/** What a candidate puts where: `topk:k=8` everywhere, `topk:k=8@cross` from a decoder to its encoder alone, `topk:k=8@self` everywhere else. */
export interface Candidate {
  /** As `name[:key=value,…]`. */
  readonly attention: string;
  readonly at: (typeof places)[number];
}

/** @throws INVALID_SUITE for another place */
export function readCandidate(text: string): Candidate {
  const [attention = '', at = 'all', ...rest] = text.split('@');
  const place = places.find((name) => name === at);
  if (place !== undefined && rest.length === 0) return { attention, at: place };
  throw new AttnswapError('INVALID_SUITE', `candidate ${JSON.stringify(text.slice(0, 200))}: expected @${places.join(', @')} or nothing`, {
    hint: 'write topk:k=8@cross for cross-attention alone',
  });
}

/** Whether a candidate stands at a site; elsewhere the baseline's attention stays. */
export function standsAt(text: string, { kind }: Pick<Site, 'kind'>): boolean {
  const { at } = readCandidate(text);
  return at === 'all' || (at === 'cross') === (kind === 'cross');
}

/** The attention of a model's layers: the candidate's, and the baseline's where it has none. */
export function layersWith(
  text: string,
  { baseline, model: { layers } }: Pick<Tuning, 'baseline' | 'model'>,
  { sourceLength }: Pick<Task, 'sourceLength'>,
) {
  const { attention, at } = readCandidate(text);
  const all = (which: string) => Array.from({ length: layers }, () => which);
  const own = all(at === 'cross' ? baseline : attention);
  if (sourceLength !== undefined)
    return { attention: own, encoder: { length: sourceLength, attention: own, cross: all(at === 'self' ? baseline : attention) } };
  if (at === 'all') return { attention: own };
  throw new AttnswapError('INVALID_SUITE', `candidate ${JSON.stringify(text.slice(0, 200))}: this task has no cross-attention`, {
    hint: `leave out @${at}, or use the task translate or fuse`,
  });
}
