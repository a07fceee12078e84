import { requireDimensions } from '../inputs/dimension-names.ts';
import type { DimensionSizes } from '../inputs/model-inputs.ts';
import { findAdapter } from '../loading/adapter.ts';
import { openHosted } from '../model/hosted/find-hosted-sites.ts';
import { settableDimensions } from '../model/hosted/cases.ts';
import { isHostedModel } from '../model/hosted/model-path.ts';
import { partsAt, pathsOf } from '../model/parts/find-parts.ts';
import { readJoined } from '../model/parts/read-joined.ts';
import { knownDimensions } from './known-dimensions.ts';
import { hostedBackend } from './open-hosted.ts';
import type { ModelOptions } from './open-model.ts';
import { adaptersOf } from './options.ts';

/**
 * Of each of several models, the given sizes of its own dimensions; a model that has none of them is left out.
 * @throws USAGE for a dimension that none of them has; what opening them throws
 */
export async function dimensionsOfEach(
  models: readonly string[],
  options: Omit<ModelOptions, 'model'>,
): Promise<ReadonlyMap<string, DimensionSizes>> {
  const given = Object.entries(options.dimensions ?? {});
  const own = new Map<string, DimensionSizes>();
  if (given.length === 0) return own;
  const all = new Set<string>();
  for (const model of models) {
    const known = await namesIn({ ...options, model });
    for (const name of known) all.add(name);
    const sizes = given.filter(([name]) => known.has(name));
    if (sizes.length > 0) own.set(model, Object.fromEntries(sizes));
  }
  requireDimensions(options.dimensions!, all, [...new Set(models)].join(' and '));
  return own;
}

async function namesIn(options: ModelOptions): Promise<ReadonlySet<string>> {
  const { model } = options;
  const parts = await partsAt(model);
  if (parts !== undefined) return knownDimensions([await readJoined(model, parts), ...pathsOf(parts)]);
  if (!(await isHostedModel(model))) return knownDimensions([model]);
  const backend = hostedBackend(options);
  const hosted = await openHosted(model, await findAdapter(adaptersOf(options), backend).load(), backend);
  try {
    return settableDimensions(hosted.inputs);
  } finally {
    await hosted.dispose();
  }
}
