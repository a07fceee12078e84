import type { ValueInfoProto } from 'onnx-buf';
import type { ModelInput, OpenModel } from '../../contract/adapter.ts';
import type { Tensor, Tensors } from '../../contract/tensor.ts';
import type { DimensionSizes } from '../../inputs/model-inputs.ts';
import type { OnnxFile } from '../file/onnx-file.ts';
import { openProto, usingModel } from '../file/open-proto.ts';
import type { ModelRunner } from '../file/open-proto.ts';
import { probeInputs } from '../sites/probe-inputs.ts';
import type { ModelSites } from '../sites/find-sites.ts';
import { rolesOf } from './cache.ts';
import type { Cache, CachePart } from './cache.ts';
import { beginsWith, isFloat } from './rows.ts';

/** Tokens that the runs hold in the cache, and new ones. */
const [cachedTokens, newTokens] = [5, 2];

/**
 * The cache of a decoder, found by running it: an output that begins with the very bytes that an input holds hands that input on. Names decide
 * only about tensors that a run shows nothing of. Null where the model has none.
 * @throws as opening a model does
 */
export async function findCache(
  { proto, scopes }: Pick<ModelSites, 'proto' | 'scopes'>,
  file: OnnxFile,
  runner: ModelRunner,
  given: DimensionSizes = {},
): Promise<Cache | null> {
  if (!proto.graph!.output.some((output) => couldBeCached(rankOf(output)))) return null;
  return usingModel(openProto(proto, file, runner), async (model) => {
    if (!model.inputs.some(isCandidate)) return null;
    // Branches first: in a merged decoder those with a past lie in one.
    for (const { probe } of scopes.toReversed())
      for (const length of [newTokens, 1]) {
        const at = { ...probe, batch: 1, past: cachedTokens, length, style: 'plain', seed: 11 } as const;
        const feeds = probeInputs(model.inputs, { ...at, held: { ...probe.held, ...startsOf(model.inputs) } }, given);
        const found = await cacheShownBy(model, feeds);
        if (found !== null) return found;
      }
    return null;
  });
}

/** The cache that one call with something cached shows; null where it shows none, or does not run. */
export async function cacheShownBy(model: OpenModel, feeds: Tensors): Promise<Cache | null> {
  const outputs = await outputsOf(model, feeds);
  return outputs === undefined ? null : cacheIn(model, feeds, outputs);
}

/** Where inputs say how many tokens are cached: as many as show that they are. */
function startsOf(inputs: readonly ModelInput[]): Record<string, number> {
  const roles = Object.entries(rolesOf(inputs, new Set()));
  return Object.fromEntries(roles.flatMap(([name, role]) => (role === 'start' ? [[name, leastRows]] : [])));
}

/** The rank that an output is declared with. */
function rankOf({ type }: ValueInfoProto): number | undefined {
  return type?.value.case === 'tensorType' ? type.value.value.shape?.dim.length : undefined;
}

/** A cached tensor has heads, tokens and channels at least; an output may be declared without a shape. */
function couldBeCached(rank: number | undefined): boolean {
  return rank === undefined || rank >= leastRank;
}

const leastRank = 4;

function isCandidate({ type, dims }: ModelInput): boolean {
  return type.startsWith('float') && dims.length >= leastRank;
}

async function outputsOf(model: OpenModel, feeds: Tensors): Promise<Tensors | undefined> {
  try {
    const bound = model.bind(feeds);
    await bound.run();
    return bound.outputs();
  } catch {
    // Sizes may be bound to each other: what does not run shows nothing.
    return undefined;
  }
}

function cacheIn({ inputs, attention }: OpenModel, feeds: Tensors, outputs: Tensors): Cache | null {
  const candidates = inputs.filter(isCandidate).map(({ name, storedBytes }) => ({
    input: name,
    elementBytes: storedBytes ?? feeds[name]!.data.BYTES_PER_ELEMENT,
  }));
  const shown = candidates.flatMap(({ input, elementBytes }): CachePart[] => {
    const found = Object.entries(outputs).flatMap(([output, tensor]) =>
      handsOn(feeds[input]!, tensor).map((axis) => ({ input, output, axis, elementBytes })),
    );
    return found.slice(0, 1);
  });
  if (shown.every(({ axis }) => axis === null)) return null;
  const known = new Set(shown.map(({ output }) => output));
  const named = candidates
    .filter(({ input }) => !shown.some((part) => part.input === input))
    .flatMap(({ input, elementBytes }): CachePart[] => {
      const output = Object.keys(outputs).find((name) => !known.has(name) && placeOf(name) === placeOf(input));
      return output === undefined ? [] : [{ input, output, axis: null, elementBytes }];
    });
  const parts = [...shown, ...named];
  const logits = logitsIn(outputs, new Set(parts.map(({ output }) => output)));
  const roles = rolesOf(inputs, new Set(parts.map(({ input }) => input)));
  return { parts, roles, logits, longest: attention?.longest ?? null, shown: feeds };
}

/** The axis along which an output holds an input and new tokens, in a list of one; null where it is the input as it was. */
function handsOn(input: Tensor, output: Tensor): Array<number | null> {
  if (!isFloat(input) || input.type !== output.type || input.dims.length !== output.dims.length || input.data.length === 0) return [];
  const other = input.dims.flatMap((size, axis) => (size === output.dims[axis] ? [] : [axis]));
  if (other.length === 0) {
    // A buffer into which tokens are written; they lie before channels.
    const tokens = input.dims.length - 2;
    if (beginsWith(output, input, tokens)) return [null];
    return beginsWith(output, input, tokens, leastRows) ? [tokens] : [];
  }
  const [axis] = other as [number];
  return other.length === 1 && output.dims[axis]! > input.dims[axis]! && beginsWith(output, input, axis) ? [axis] : [];
}

/** As many tokens a buffer must keep to be known: attention itself hands on the first value, where it is causal. */
const leastRows = 2;

/** What is left of `past_key_values.0.key` and `present.0.key`. */
function placeOf(name: string): string {
  return name.replace(/past(_key_values)?|present/i, '');
}

/** The output of rank 3 that is called logits, or the only one beside the cache. */
function logitsIn(outputs: Tensors, cached: ReadonlySet<string>): string | null {
  const ranked = Object.entries(outputs).filter(([name, tensor]) => !cached.has(name) && isFloat(tensor) && tensor.dims.length === 3);
  const named =
    ranked.find(([name]) => /logit/i.test(name)) ?? (ranked.length === 1 && !/hidden|state/i.test(ranked[0]![0]) ? ranked[0] : undefined);
  return named?.[0] ?? null;
}
