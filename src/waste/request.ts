import { AttnswapError } from '../contract/errors.ts';
import type { AttentionInputs } from '../contract/inputs.ts';
import type { KeyGroup } from '../contract/key-groups.ts';
import type { Parameters, Variant } from '../contract/variant.ts';
import { keyGroupsFault } from '../data/key-groups-fault.ts';
import { refusalOf, weightlessReason } from '../variants/reference.ts';
import type { RowSelection } from './select-rows.ts';

export interface WasteRequest {
  readonly inputs: AttentionInputs;
  /** What the report calls the inputs: `gaussian`, `calibrated`, `captured:<file>`. */
  readonly inputsName: string;
  readonly variant: Variant;
  readonly parameters: Parameters;
  /** The variant that `missedMass` and `pooledMass` compare with. */
  readonly dense: Variant;
  /** q·k products of the kernel in one call, over all batch elements and heads: gives `kernelWaste`. */
  readonly kernelScoredPairs?: number;
  readonly rows: RowSelection;
  /** Groups of keys that are told apart. */
  readonly groups?: readonly KeyGroup[] | undefined;
  /** The relevant keys of a row, where they are known: gives `labelledWaste` over the rows that have them. */
  readonly relevant?: (at: { batch: number; head: number; query: number }) => ArrayLike<number> | undefined;
}

/** @throws UNSUPPORTED, USAGE */
export function refuseWaste({ inputs, variant, parameters, rows, groups }: WasteRequest): void {
  const refusal = variant.rows === undefined ? weightlessReason : refusalOf(inputs, variant, parameters);
  if (refusal !== undefined) throw new AttnswapError('UNSUPPORTED', `waste of ${variant.name}: ${refusal}`);
  const fault = groups === undefined ? undefined : keyGroupsFault(groups, inputs.shape.keys);
  if (fault !== undefined) throw new AttnswapError('USAGE', `waste: ${fault}`);
  if (rows === 'all' || (Number.isSafeInteger(rows.seed) && Number.isSafeInteger(rows.count) && rows.count > 0)) return;
  throw new AttnswapError('USAGE', `waste: rows need a positive integer count and an integer seed, got ${rows.count} and ${rows.seed}`);
}

/** What seeds a selection of rows; 0 where it is all of them. */
export function seedOf(rows: RowSelection): number {
  return rows === 'all' ? 0 : rows.seed;
}
