import type { ModelProto } from 'onnx-buf';
import type { Item } from '../contract/data.ts';
import type { ModelSites } from '../model/sites/find-sites.ts';
import type { OnnxFile } from '../model/file/onnx-file.ts';
import { openProto, usingModel } from '../model/file/open-proto.ts';
import type { ModelRunner } from '../model/file/open-proto.ts';
import type { Replacement } from '../model/swap/swap.ts';
import type { DriftSummary } from '../quality/drift-summary.ts';
import type { QualityJudgement } from '../quality/judgement.ts';
import { exactnessOf } from './exactness.ts';
import { runOn } from './original-outputs.ts';
import { driftBetween, judgeAsExact } from './quality-of.ts';

/** A swapped model beside its original on items of the user's. */
export interface SwapOnItems {
  /** Tokens, of each item. */
  readonly lengths: readonly number[];
  readonly drift: DriftSummary;
  /** Null where the attention is another, or the model has an exception from the rule: then drift is told, and not judged. */
  readonly judgement: QualityJudgement | null;
}

export interface SwapToCompare {
  readonly file: OnnxFile;
  readonly sites: Pick<ModelSites, 'proto' | 'sites'>;
  readonly runner: ModelRunner;
  readonly swapped: ModelProto;
  readonly replacements: ReadonlyMap<number, Replacement>;
  readonly seed: number;
}

/** Share of labels that may change in an exact swap: those next to a tie do. */
const labelMargin = 0.02;

/** Runs both models on every item. @throws INVALID_DATA where the original does not run on one; INVALID_MODEL */
export async function swapOnItems(
  { file, sites, runner, swapped, replacements, seed }: SwapToCompare,
  items: readonly Item[],
): Promise<SwapOnItems> {
  const open = (proto: ModelProto) => openProto(proto, file, runner);
  const drift = await usingModel(open(sites.proto), (original) =>
    usingModel(open(swapped), (changed) => driftBetween((item) => runOn(original, item), changed, items, { seed })),
  );
  const exactness = exactnessOf(sites, { replacements });
  const measured = drift.state === 'measured' && exactness !== null;
  const judgement = measured ? judgeAsExact(drift, exactness, { items, margin: labelMargin }) : null;
  return { lengths: items.map(({ length }) => length), drift, judgement };
}
