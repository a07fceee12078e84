import type { ModelProto } from 'onnx-buf';
import type { DimensionSizes } from '../inputs/model-inputs.ts';
import type { Cache } from '../model/cache/cache.ts';
import type { OnnxFile } from '../model/file/onnx-file.ts';
import type { ModelRunner } from '../model/file/open-proto.ts';
import { withConstants } from '../model/graph/norms.ts';
import type { ModelSites } from '../model/sites/find-sites.ts';
import { swapSites } from '../model/swap/swap.ts';
import type { Replacement } from '../model/swap/swap.ts';
import type { ModelCandidate } from './subject.ts';

/** The files of a model that several hold, which is measured as one. */
export interface ModelFiles {
  /** @throws UNSUPPORTED where a file cannot take new attention, or is wrong with it */
  check(replacements: ReadonlyMap<number, Replacement>): Promise<void>;
  /** Writes every file with new attention, side by side. */
  write(replacements: ReadonlyMap<number, Replacement>, folder: string): Promise<void>;
}

/** An ONNX model, its sites, and what runs it. */
export interface Graph {
  readonly file: OnnxFile;
  readonly sites: ModelSites;
  readonly runner: ModelRunner;
  /** Of a gate's weights, and of what is drawn. */
  readonly seed: number;
  /** Sizes of dynamic dimensions, for small runs on drawn inputs. */
  readonly dimensions?: DimensionSizes | undefined;
  /** The cache that the model is decoded through; null where it is not. */
  readonly cache: Cache | null;
  /** Absent where one file holds the model. */
  readonly files?: ModelFiles | undefined;
}

/** A candidate's model. @throws UNSUPPORTED, INVALID_MODEL */
export function candidateProto(
  { sites, runner, seed }: Pick<Graph, 'sites' | 'runner' | 'seed'>,
  { replacements, norms }: Pick<ModelCandidate, 'replacements' | 'norms'>,
): ModelProto {
  const swapped = swapSites(sites, { ...runner, replacements, seed });
  if (norms === undefined) return swapped;
  return withConstants(swapped, new Map(Object.entries(norms).map(([name, numbers]) => [name, Float32Array.from(numbers)])));
}
