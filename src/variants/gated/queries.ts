import type { AttentionInputs } from '../../contract/inputs.ts';
import type { HeadAddress, HeadRows, Row } from '../../contract/variant.ts';
import { allowedEnd, appendKeys, clearRow, viewHead } from '../head-view.ts';
import { correct, headGate } from './gate.ts';
import type { GatedParameters } from './parameters.ts';
import { selectGates } from './selection.ts';

/**
 * Rows of gates that belong to queries, not to pairs: γ_i = Σ (q_i U)/√rank + b. With `form=query` the gate multiplies the logits of the row, with
 * `form=output` its output. A query whose gate is closed sees nothing.
 */
export function queryRows(inputs: AttentionInputs, read: GatedParameters, at: HeadAddress): HeadRows {
  const view = viewHead(inputs, at);
  const gates = queryGates(inputs, read, { at, vectors: view.query });
  const kept = new Uint8Array(gates.length);
  selectGates(read, gates.length, false)(gates, gates.length, kept);
  const marginOf = margins(read, gates, kept);
  return {
    pools: [],
    fill(query, row) {
      clearRow(row);
      row.margin = marginOf(query);
      if (kept[query] === 0) return;
      appendKeys(view, query, 0, allowedEnd(view.shape, query), row);
      const gate = gates[query]!;
      if (read.form === 'query') for (let e = 0; e < row.length; e++) row.logit[e] = correct(row.logit[e]!, gate, read.form);
      // Weights that sum to sigmoid(γ) are those beside a sink of logit ln Σ exp(s) − γ.
      else row.sink = logSumExp(row) - gate;
    },
  };
}

/** γ of every query: the gate of a pair whose key projects to ones. */
function queryGates(
  inputs: AttentionInputs,
  { rank }: GatedParameters,
  { at, vectors }: { at: HeadAddress; vectors: Float32Array },
): Float64Array {
  const gate = headGate(inputs, at.head, rank);
  const queries = gate.projectQueries(vectors);
  const ones = new Float64Array(gate.rank).fill(1);
  return Float64Array.from({ length: queries.length / gate.rank }, (_, query) => gate.logit(queries, query, ones, 0));
}

/** How far a query's gate is from being decided the other way: from the threshold, or from the nearest gate on the other side of the cut. */
function margins(read: GatedParameters, gates: Float64Array, kept: Uint8Array): (query: number) => number {
  if (read.tau !== undefined) {
    const threshold = Math.log(read.tau / (1 - read.tau));
    return (query) => Math.abs(gates[query]! - threshold);
  }
  let lowestKept = Infinity;
  let highestDropped = -Infinity;
  for (const [query, gate] of gates.entries()) {
    if (kept[query] === 1) lowestKept = Math.min(lowestKept, gate);
    else highestDropped = Math.max(highestDropped, gate);
  }
  return (query) => (kept[query] === 1 ? gates[query]! - highestDropped : lowestKept - gates[query]!);
}

function logSumExp({ logit, length }: Row): number {
  let largest = -Infinity;
  for (let e = 0; e < length; e++) largest = Math.max(largest, logit[e]!);
  let sum = 0;
  for (let e = 0; e < length; e++) sum += Math.exp(logit[e]! - largest);
  return largest + Math.log(sum);
}
