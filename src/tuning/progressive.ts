import type { LayerAttention } from '../contract/training.ts';
import type { Parameters } from '../contract/variant.ts';
import { longestOf, siteShape, sitesOf } from '../training/testbed.ts';
import type { Testbed } from '../training/testbed.ts';
import { findVariant, parseVariant } from '../variants/index.ts';
import { standsAt } from './candidate.ts';
import type { Trial } from './trial.ts';

/** The share of keys that an epoch drops at least. */
const leastStep = 0.1;

/** The attention that a trial ends with, in the order of its testbed's sites; keys are shuffled where the candidate stands. */
export function goalAttention(
  { attention: candidate, shuffled }: Pick<Trial, 'attention' | 'shuffled'>,
  testbed: Testbed,
): LayerAttention[] {
  return sitesOf(testbed).map((site) => ({
    ...parseVariant(site.attention),
    ...(shuffled === true && standsAt(candidate, site) && { shuffled }),
  }));
}

/**
 * The attention that a trial has in an epoch, from 0 on. `sparsify` begins with dense attention and drops a tenth more of the keys each
 * epoch, or as much as it takes that the last half of all epochs trains what the trial ends with: a model that never trained there would be
 * tested on what it does not know. Where the candidate does not stand, nothing changes.
 */
export function attentionIn(
  trial: Trial,
  epoch: number,
  { testbed, epochs }: { readonly testbed: Testbed; readonly epochs: number },
): LayerAttention[] {
  const goal = goalAttention(trial, testbed);
  if (!trial.techniques.includes('sparsify')) return goal;
  const sizes = longestOf(testbed);
  return sitesOf(testbed).map((site, index) => {
    if (!standsAt(trial.attention, site)) return goal[index]!;
    const { keys } = siteShape(testbed, site, sizes);
    return { ...goal[index]!, parameters: sparser(goal[index]!, { way: epoch / rampEpochs(epochs), epoch, length: keys }) };
  });
}

/** Epochs after which every `sparsify` is at its goal. */
export function rampEpochs(epochs: number): number {
  return Math.ceil(epochs / 2);
}

/** Parameters on the way from dense to the goal, where keys are selected by score; others are at their goal at once. */
function sparser(
  { variant, parameters: goal }: LayerAttention,
  { way, epoch, length }: { readonly way: number; readonly epoch: number; readonly length: number },
): Parameters {
  const selectivity = findVariant(variant).selectivity?.(goal);
  const sparsity = selectivity?.dropped(length) ?? 0;
  const dropped = Number(Math.max(leastStep * epoch, sparsity * way).toFixed(6));
  if (selectivity === undefined || dropped >= sparsity) return goal;
  return selectivity.keeping(Number((1 - dropped).toFixed(6)), length);
}
