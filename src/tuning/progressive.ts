import type { LayerAttention } from '../contract/training.ts';
import type { Parameters } from '../contract/variant.ts';
import { findVariant, parseVariant } from '../variants/index.ts';
import type { Trial } from './trial.ts';

/** The share of keys that an epoch drops at least. */
const leastStep = 0.1;

interface Extent {
  readonly layers: number;
  /** Of the sequences. */
  readonly length: number;
}

/** The attention that a trial's layers end with. */
export function goalAttention(trial: Trial, { layers }: { readonly layers: number }): LayerAttention[] {
  const goal = { ...parseVariant(trial.attention), ...(trial.shuffled === true && { shuffled: true }) };
  return Array.from({ length: layers }, () => goal);
}

/**
 * The attention that a trial's layers have in an epoch, from 0 on. `sparsify` begins with dense attention and drops a tenth more of the keys each
 * epoch, or as much as it takes that the last half of all epochs trains what the trial ends with: a model that never trained there would be
 * tested on what it does not know.
 */
export function attentionIn(
  trial: Trial,
  epoch: number,
  { layers, length, epochs }: Extent & { readonly epochs: number },
): LayerAttention[] {
  const goal = goalAttention(trial, { layers });
  if (!trial.techniques.includes('sparsify')) return goal;
  return goal.map((layer) => ({ ...layer, parameters: sparser(layer, { way: epoch / rampEpochs(epochs), epoch, length }) }));
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
