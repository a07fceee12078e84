import { ceilTimes, complementOf, decimalOf } from '../decimal.ts';
import { createCut, cutLargest, stays } from '../keep-largest.ts';
import { openness } from './gate.ts';
import type { GatedParameters } from './parameters.ts';

/** Which of the gates γ[0 … length) stay: marks `kept` with 1 or 0 and returns the margin, in units of γ. */
export type Select = (gate: Float64Array, length: number, kept: Uint8Array) => number;

/** `sparsity` x keeps the ⌈(1−x)·length⌉ largest; `tau` those with sigmoid(γ) ≥ tau, and, `atLeastOne`, the largest where there is none. */
export function selectGates(rule: GatedParameters, capacity: number, atLeastOne: boolean): Select {
  return rule.tau === undefined ? bySparsity(openCounter(rule), capacity) : byTau(rule.tau, atLeastOne);
}

/** How many of `allowed` gates `sparsity` keeps: ⌈(1−sparsity)·allowed⌉, exactly. With `tau`, all: an upper bound. */
export function openCounter(rule: GatedParameters): (allowed: number) => number {
  if (rule.tau !== undefined) return (allowed) => allowed;
  const share = complementOf(decimalOf(rule.sparsity));
  return (allowed) => ceilTimes(share, allowed);
}

function bySparsity(keptOf: (allowed: number) => number, capacity: number): Select {
  const scratch = new Float64Array(capacity);
  const cut = createCut();
  return (gate, length, kept) => {
    cutLargest(gate, length, keptOf(length), scratch, cut);
    for (let e = 0; e < length; e++) kept[e] = stays(cut, gate[e]!) ? 1 : 0;
    return cut.margin;
  };
}

/** The margin of `tau` is the least distance of a γ from the threshold: a gate that close may stand on either side. */
function byTau(tau: number, atLeastOne: boolean): Select {
  const threshold = Math.log(tau / (1 - tau));
  return (gate, length, kept) => {
    let any = false;
    let margin = Infinity;
    for (let e = 0; e < length; e++) {
      kept[e] = openness(gate[e]!) >= tau ? 1 : 0;
      any ||= kept[e] === 1;
      margin = Math.min(margin, Math.abs(gate[e]! - threshold));
    }
    return any || !atLeastOne || length === 0 ? margin : keepLargest(gate, length, kept);
  };
}

/** Marks the largest gate alone (a tie: the lower); the margin is its lead over the second. */
function keepLargest(gate: Float64Array, length: number, kept: Uint8Array): number {
  let largest = 0;
  for (let e = 1; e < length; e++) if (gate[e]! > gate[largest]!) largest = e;
  let lead = Infinity;
  for (let e = 0; e < length; e++) if (e !== largest) lead = Math.min(lead, gate[largest]! - gate[e]!);
  kept[largest] = 1;
  return lead;
}
