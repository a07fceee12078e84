import { AttnswapError } from '../../contract/errors.ts';
import type { PlacedAttentions } from '../../contract/model-attention.ts';
import type { Tensor, Tensors } from '../../contract/tensor.ts';
import type { DimensionSizes } from '../../inputs/model-inputs.ts';
import { itemDrift } from '../../quality/drift.ts';
import { findVariant } from '../../variants/index.ts';
import { judgeOutput } from '../../variants/judge.ts';
import type { Judgement } from '../../variants/judge.ts';
import { wholeWindow } from '../sites/long-runs.ts';
import { numbersOf } from '../sites/mask-sources.ts';
import { checkTokens } from '../swap/check-tokens.ts';
import type { OutputComparison, ComparedRun } from '../swap/compare-outputs.ts';
import { unjudged } from '../swap/compare-sites.ts';
import type { SiteComparison } from '../swap/compare-sites.ts';
import type { Replacement } from '../swap/swap.ts';
import { hostedCases, isPadding } from './cases.ts';
import type { HostedCase } from './cases.ts';
import type { HostedModel } from './find-hosted-sites.ts';

/** Which site becomes what. */
export type Replacements = ReadonlyMap<number, Replacement>;

/** A swap as a worker is asked for it. @throws USAGE for a site that is not there, or cannot be swapped; UNSUPPORTED for one of other lengths */
export function placedAt({ path, sites }: Pick<HostedModel, 'path' | 'sites'>, replacements: Replacements): PlacedAttentions {
  const entries = [...replacements].map(([number, { variant, kernel, parameters, scaleFactor }]) => {
    const site = sites[number];
    if (site?.swappable !== true) {
      const why = site === undefined ? 'there is no such site' : site.reason;
      throw new AttnswapError('USAGE', `${path}: site ${number} cannot be swapped: ${why}`, { hint: `attnswap sites ${path}` });
    }
    checkTokens(site, replacements.get(number)!, ['sequence']);
    const told = { ...(scaleFactor !== undefined && { scaleFactor }), ...(site.causal !== null && { causal: site.causal }) };
    return [site.node, { variant, kernel, parameters, ...told }] as const;
  });
  return Object.fromEntries(entries);
}

/** Longest sequence that shows a variant whole. */
const longestReach = 160;
/** Longest one that shows a window of the model's own whole. */
const longestWindow = 1200;

function casesFor({ model: { inputs, attention }, sites }: HostedModel, replacements: Replacements, sizes: DimensionSizes): HostedCase[] {
  const parameters = [...replacements.values()].flatMap((replacement) =>
    Object.values(replacement.parameters).filter((value) => typeof value === 'number'),
  );
  const windows = [...replacements.keys()].flatMap((site) => sites[site]?.window ?? []).map(wholeWindow);
  const reach = Math.max(
    Math.min(longestReach, 4 * Math.max(8, ...parameters) + 1),
    ...windows.filter((tokens) => tokens <= longestWindow),
  );
  return hostedCases(inputs, { longest: attention.longest, sizes, reach });
}

/**
 * Runs a model with its own attention and with other on the same drawn inputs, whole and padded. At positions that are padding nothing is
 * compared: there attention may see no key at all.
 * @throws WORKER_FAILED where an output is missing, of another shape, or not finite; UNSUPPORTED where the worker cannot swap
 */
export async function compareHosted(
  hosted: HostedModel,
  replacements: Replacements,
  sizes: DimensionSizes = {},
): Promise<OutputComparison> {
  const { path, model } = hosted;
  const cases = casesFor(hosted, replacements, sizes);
  const run = async (placed: PlacedAttentions): Promise<Tensors[]> => {
    await model.attention.swap(placed);
    const all: Tensors[] = [];
    for (const { feeds } of cases) {
      const bound = model.bind(feeds);
      await bound.run();
      all.push(bound.outputs());
    }
    return all;
  };
  const original = await run({});
  const swapped = await run(placedAt(hosted, replacements));
  const runs = cases.map(({ batch, length, past, style, feeds }, at): ComparedRun => {
    const drift = itemDrift(style, kept(original[at]!, feeds, past), kept(swapped[at]!, feeds, past));
    if (drift.state === 'fault') {
      const where = `${path}, swapped, batch ${batch}, length ${length}${past === 0 ? '' : ` behind ${past}`}, ${style}`;
      throw new AttnswapError('WORKER_FAILED', `${where}: ${drift.reason}; nothing was written`);
    }
    const relative = Math.max(...drift.outputs.map(({ relativeError }) => relativeError ?? 0));
    return { batch, length, ...(past > 0 && { past }), style, relative, blindQueries: 0 };
  });
  const varied = model.inputs.filter(isPadding).map(({ name }) => name);
  return { runs, notRun: [], varied, largest: Math.max(...runs.map(({ relative }) => relative ?? 0)) };
}

/** Outputs without the positions that an attention mask hides: of new tokens, and in the cache of all. */
function kept(outputs: Tensors, feeds: Tensors, past: number): Tensors {
  const mask = feeds['attention_mask'];
  if (mask === undefined) return outputs;
  const keep = [...numbersOf(mask)].map((value) => value !== 0);
  if (keep.every(Boolean)) return outputs;
  const [rows = 1, total = 1] = mask.dims;
  const cut = (tensor: Tensor): Tensor => {
    const { type, dims, data } = tensor;
    const axis = dims.length === 4 && dims[2] === total ? 2 : 1;
    const before = axis === 2 ? 0 : past;
    if (dims.length < 3 || dims[0] !== rows || dims[axis] !== total - before || type !== 'float32') return tensor;
    const width = dims.slice(axis + 1).reduce((product, size) => product * size, 1);
    const heads = axis === 2 ? dims[1]! : 1;
    const places = Array.from({ length: data.length / width }, (_, place) => place).filter((place) => {
      const [row, token] = [Math.floor(place / dims[axis]! / heads), place % dims[axis]!];
      return keep[row * total + before + token];
    });
    const values = new Float32Array(places.length * width);
    places.forEach((place, at) => values.set((data as Float32Array).subarray(place * width, (place + 1) * width), at * width));
    return { type: 'float32', dims: [places.length, width], data: values };
  };
  return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, cut(tensor)]));
}

/** Holds each new attention, on what its site reads in the swapped model, against the float64 rows of its variant. */
export async function compareHostedSites(
  hosted: HostedModel,
  replacements: Replacements,
  sizes: DimensionSizes = {},
): Promise<SiteComparison[]> {
  const { sites, model } = hosted;
  const numbers = new Map(sites.map(({ node, site }) => [node, site]));
  const worst = new Map<number, Judgement>();
  await model.attention.swap(placedAt(hosted, replacements));
  for (const { feeds } of casesFor(hosted, replacements, sizes)) {
    const modules = [...replacements.keys()].map((number) => sites[number]!.node);
    for (const { module, output, ...read } of await model.attention.capture(feeds, modules)) {
      const site = numbers.get(module)!;
      const { variant, parameters, scaleFactor = 1 } = replacements.get(site)!;
      const inputs = { ...read, scale: read.scale * scaleFactor };
      const rows = inputs.shape.queries > longestReach ? { count: 512, seed: 1 } : ('all' as const);
      const judgement = judgeOutput(output, inputs, findVariant(variant), parameters, { rows, ambiguousShare: 1 });
      const known = worst.get(site);
      const worse = known === undefined || (known.ok === judgement.ok ? judgement.relative > known.relative : known.ok);
      if (worse) worst.set(site, judgement);
    }
  }
  return [...replacements.keys()].map((site) => {
    const { ok, relative, budget, reason = 'it exceeds its budget' } = worst.get(site) ?? unjudged;
    return { site, relative, budget, ...(!ok && { reason }) };
  });
}
