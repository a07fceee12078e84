import { AttnswapError } from '../contract/errors.ts';
import { toolVersion } from '../loading/version.ts';
import { parseReplacements, parseSites, replacementsAnywhere } from '../migration/parse-replacements.ts';
import { compareHosted, compareHostedSites, placedAt } from '../model/hosted/compare-hosted.ts';
import { proveHosted } from '../model/hosted/prove-hosted.ts';
import { changeOf, refuseInexact, refuseWrong } from './checked-swap.ts';
import { refuseData } from './data-options.ts';
import type { OptionalData } from './data-options.ts';
import { usingHosted } from './open-hosted.ts';
import type { ModelOptions } from './open-model.ts';

interface HostedSwapOptions extends ModelOptions, OptionalData {
  readonly variants: readonly string[];
  readonly sites?: string | undefined;
  readonly items?: number | undefined;
  readonly out: string;
}

/**
 * Puts other attention into a model that a worker holds, and proves that nothing else changed. What is written is a folder with a Python file that puts
 * it into the same model.
 * @throws as of any swap
 */
export function swapHosted(options: HostedSwapOptions) {
  const { model: path, out, dimensions } = options;
  refuseData(options, 'swap compares PyTorch models only on random inputs');
  return usingHosted(options, async (hosted, adapter) => {
    const { sites, model } = hosted;
    const replacements =
      options.sites === undefined
        ? replacementsAnywhere(options.variants, sites, adapter)
        : parseReplacements(options.variants, parseSites(options.sites), adapter);
    if (replacements.size === 0)
      throw new AttnswapError('UNSUPPORTED', `${path}: no site can be swapped`, { hint: `attnswap sites ${path} says why` });
    const placed = placedAt(hosted, replacements);
    options.onProgress?.({ what: 'comparing both models' });
    const comparison = await compareHosted(hosted, replacements, dimensions);
    const atSites = await compareHostedSites(hosted, replacements, dimensions);
    refuseWrong(path, atSites);
    refuseInexact(path, { sites: { sites }, replacements, comparison });
    const proof = await proveHosted(hosted);
    await model.attention.save(out, { placed, source: path, version: await toolVersion() });
    const changes = [...replacements].map(([number, replacement]) => changeOf(sites[number]!, replacement));
    return { sites, replacements, record: { out, changes, proof, atSites, comparison } };
  });
}
