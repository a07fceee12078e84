import type { ModelSites } from '../model/sites/find-sites.ts';
import type { Site } from '../model/sites/site.ts';
import { loadModel } from './open-model.ts';
import type { ModelOptions } from './open-model.ts';

export type SitesOptions = ModelOptions;

/** The attention in a model. */
export interface SitesRecord {
  /** Path of the model. */
  readonly model: string;
  /** Of the model's file. */
  readonly sha256: string;
  readonly sites: readonly Site[];
  /** What looked like attention and is none, or was not understood. */
  readonly unknown: ModelSites['unknown'];
  /** Nodes that were rewritten because the model is older than opset 13. */
  readonly rewrittenForOpset13: ModelSites['rewritten'];
  /** Nodes that were searched. */
  readonly nodes: number;
}

/**
 * Finds every attention of a model: what it does, and whether it can be swapped.
 * @throws INVALID_MODEL, UNSUPPORTED, UNKNOWN_BACKEND
 */
export async function sites(options: SitesOptions): Promise<SitesRecord> {
  const { file, sites: found } = await loadModel(options);
  return {
    model: file.path,
    sha256: file.sha256,
    sites: found.sites,
    unknown: found.unknown,
    rewrittenForOpset13: found.rewritten,
    nodes: found.proto.graph!.node.length,
  };
}
