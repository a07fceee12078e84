import { ceilTimes, complementOf, decimalOf } from '../decimal.ts';
import { createCut, cutLargest, stays } from '../keep-largest.ts';
import { openness } from './gate.ts';

/** Which of the gates γ[0 … length) stay: marks `kept` with 1 or 0 and returns the margin, in units of γ. */
export type Select = (gate: Float64Array, length: number, kept: Uint8Array) => number;

/** `sparsity` x keeps the ⌈(1−x)·length⌉ largest; `tau` those with sigmoid(γ) ≥ tau, and, `atLeastOne`, the largest where there is none. */
export function selectGates(rule: { sparsity?: number; tau?: number }, capacity: number, atLeastOne: boolean): Select {
  return rule.tau === undefined ? bySparsity(rule.sparsity ?? 0, capacity) : byTau(rule.tau, atLeastOne);
}

function bySparsity(sparsity: number, capacity: number): Select {
  const share = complementOf(decimalOf(sparsity));
  const scratch = new Float64Array(capacity);
  const cut = createCut();
  return (gate, length, kept) => {
    cutLargest(gate, length, ceilTimes(share, length), scratch, cut);
    for (let e = 0; e < length; e++) kept[e] = stays(cut, gate[e]!) ? 1 : 0;
    return cut.margin;
  };
}

function byTau(tau: number, atLeastOne: boolean): Select {
  const threshold = Math.log(tau / (1 - tau));
  return (gate, length, kept) => {
    let any = false;
    let largest = 0;
    let margin = Infinity;
    for (let e = 0; e < length; e++) {
      kept[e] = openness(gate[e]!) >= tau ? 1 : 0;
      any ||= kept[e] === 1;
      if (gate[e]! > gate[largest]!) largest = e;
      margin = Math.min(margin, Math.abs(gate[e]! - threshold));
    }
    if (!any && atLeastOne && length > 0) kept[largest] = 1;
    return margin;
  };
}
