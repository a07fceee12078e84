import type { LayerAttention } from '../contract/training.ts';
import { parseVariant } from '../variants/index.ts';
import type { Trial } from './trial.ts';

/** Points of sparsity that an epoch adds. */
const pointsAnEpoch = 0.1;

/** The attention that a trial's layers have in an epoch, from 0 on; `sparsify` begins with dense attention and drops a tenth more each epoch. */
export function attentionIn(trial: Trial, epoch: number, { layers, length }: { layers: number; length: number }): LayerAttention[] {
  const { variant, parameters } = parseVariant(trial.attention);
  const goal = { variant, parameters, ...(trial.shuffled === true && { shuffled: true }) };
  const now = trial.techniques.includes('sparsify') ? { ...goal, parameters: sparser(variant, parameters, { epoch, length }) } : goal;
  return Array.from({ length: layers }, () => now);
}

/** Parameters on the way from dense to the goal: top-k, gated and block-topk; others have no way, and are at their goal at once. */
function sparser(
  variant: string,
  goal: LayerAttention['parameters'],
  { epoch, length }: { epoch: number; length: number },
): LayerAttention['parameters'] {
  const dropped = Number((pointsAnEpoch * epoch).toFixed(6));
  const kept = Number((1 - dropped).toFixed(6));
  if (variant === 'topk') {
    const share = 'keep' in goal ? Number(goal['keep']) : Number(goal['k']) / length;
    return kept > share ? { keep: kept } : goal;
  }
  if (variant === 'gated' && 'sparsity' in goal) return Number(goal['sparsity']) > dropped ? { ...goal, sparsity: dropped } : goal;
  if (variant === 'block-topk') {
    const all = Math.ceil(length / Number(goal['block']));
    return { ...goal, blocks: Math.max(Number(goal['blocks']), Math.ceil(kept * all)) };
  }
  return goal;
}
