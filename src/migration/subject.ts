import type { Dispatch, OpenModel, RanksRequest } from '../contract/adapter.ts';
import type { Item } from '../contract/data.ts';
import { AttnswapError } from '../contract/errors.ts';
import type { AdapterTraining, Ranks, TrainedSteps } from '../contract/model-attention.ts';
import type { Tensors } from '../contract/tensor.ts';
import type { CapturedCall } from '../model/swap/capture.ts';
import type { SiteComparison } from '../model/swap/compare-sites.ts';
import type { SwapProof } from '../model/swap/prove.ts';
import type { Replacement } from '../model/swap/swap.ts';

/** New values of constants, by name; plain numbers, to be kept as JSON. */
export type NormValues = Readonly<Record<string, readonly number[]>>;

/** Attention to be judged in place of the original's. */
export interface ModelCandidate {
  /** As a user writes it, such as `window.tiled:w=64`, or `0=dense.fused 1=window.tiled:w=64`. */
  readonly name: string;
  readonly replacements: ReadonlyMap<number, Replacement>;
  /** Values of layer norms that are changed, too. */
  readonly norms?: NormValues;
  /** Path of trained low-rank parts of the linear maps in attention modules. */
  readonly adapters?: string;
  /** Cross-attention that keeps its own, as the candidate is for positions of one sequence; absent where there is none. */
  readonly passedOver?: readonly number[];
}

/** The model that a migration is of, whatever it is written in. */
export interface Subject {
  /** What the name of a candidate's file ends in. */
  readonly ending: string;
  /** Opens the original, or it with a candidate's attention. @throws UNSUPPORTED, INVALID_MODEL */
  open(candidate?: ModelCandidate): Promise<OpenModel>;
  /** Runs the original, and gives what each site that can be swapped read, by number. */
  capture(feeds: Tensors): Promise<ReadonlyMap<number, CapturedCall>>;
  /**
   * Holds a candidate's attention at every site against its definition, writes its model to a path, and proves that nothing else changed.
   * @throws UNSUPPORTED where its attention is wrong or cannot be put there; INVALID_MODEL
   */
  write(candidate: ModelCandidate, path: string): Promise<SwapProof>;
  /** Puts the model of a candidate that was written to a path into a folder, for its user. Its path. */
  adopt(candidate: ModelCandidate, written: { readonly path: string; readonly folder: string }): Promise<string>;
  /** What one call of a model's file runs, by the runtime's own profile; null, or absent, where it does not tell. */
  dispatch?(path: string, feeds: Tensors): Promise<Dispatch | null>;
  /** Layer norms behind approximated sites, calibrated on items; none where they are not known. */
  norms(candidate: ModelCandidate, items: readonly Item[]): Promise<NormValues>;
  /** Trains parts that bring a candidate's attention back to the original's. Absent where the model is not trained. @throws UNSUPPORTED */
  train?(candidate: ModelCandidate, training: AdapterTraining): Promise<TrainedSteps>;
  /** Opens it in processes that train it together. Absent as `train` is. @throws as an adapter's `openRanks` */
  openRanks?(candidate: ModelCandidate, request: RanksOptions): Promise<CandidateRanks>;
}

export type RanksOptions = Pick<RanksRequest, 'ranks' | 'threads' | 'deepspeed' | 'signal'>;

/** Ranks that train a candidate. */
export interface CandidateRanks extends Omit<Ranks, 'train'> {
  train(training: AdapterTraining): ReturnType<Ranks['train']>;
}

/** New attention must be what its variant is defined to be, on what each site itself reads. @throws UNSUPPORTED where it is not */
export function requireRight(sites: readonly SiteComparison[]): void {
  const wrong = sites.find(({ reason }) => reason !== undefined);
  if (wrong !== undefined)
    throw new AttnswapError('UNSUPPORTED', `the new attention at site ${wrong.site} fails its check: ${wrong.reason}`);
}
