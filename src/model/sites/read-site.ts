import { denseSpan } from '../../contract/span.ts';
import type { Span } from '../../contract/span.ts';
import type { AppendBias } from './append-bias.ts';
import { biasOf } from './bias.ts';
import type { Candidate, DeclaredMask } from './candidate.ts';
import { assumptionText } from './assume.ts';
import { nodeName } from '../graph/graph-index.ts';
import type { Domains } from './input-domains.ts';
import { isPerKey, keptBy } from './mask-sources.ts';
import type { MaskRule } from './mask-sources.ts';
import type { Probed } from './probe-candidates.ts';
import { disagreement, dtypeOf, misfit, observeAll, settleScale, settleSoftcap } from './observe.ts';
import type { Observation } from './observe.ts';
import { hidesLastKey, isBlind, isCausal, keptKeys, otherMask, unseenKey } from './read-masks.ts';
import type { MaskReading } from './read-masks.ts';
import { countsStored } from './see-masks.ts';
import type { Assumption, Site, SwappableSite } from './site.ts';
import { unsettledSize } from './settled-scale.ts';
import type { Reach } from './value-reach.ts';
import { ownWidth } from './views.ts';
import type { Seen } from './watch.ts';
import { windowIn } from './window-in.ts';

/** Facts of a site of which nothing is known. */
export const unread = {
  heads: null,
  kvHeads: null,
  headDim: null,
  dtype: null,
  mask: null,
  causal: null,
  selfAttention: null,
  scale: null,
  dynamic: [],
  swappable: false,
} as const;

/** A site, and how it is swapped where it can be. */
export interface ReadSite {
  readonly site: Site;
  readonly swap?: SwappableSite;
}

export interface ReadOptions {
  /** Taken for a mask that runs do not settle. */
  readonly assumption?: Assumption | undefined;
  /** Why the mask is not what these runs show. */
  readonly beyond?: string | undefined;
  /** The window that longer runs showed instead. */
  readonly window?: Span | undefined;
}

/** What a candidate is, by what it did: a site, and how to swap it where it is attention as defined. */
export function readSite(candidate: Candidate, number: number, probed: Probed, { assumption, beyond, window }: ReadOptions): ReadSite {
  const named = { site: number, node: nodeName(candidate.anchor), pattern: candidate.pattern };
  const { views } = probed;
  const observed = views === undefined ? misfit : observeAll(candidate, probed);
  if (typeof observed === 'string' || views === undefined)
    return {
      site: { ...named, ...unread, ...sizesOf(probed), reason: candidate.refusal ?? (typeof observed === 'string' ? observed : misfit) },
    };
  const { shape } = observed[0]!;
  const softcap = settleSoftcap(observed);
  if (Number.isNaN(softcap)) return { site: { ...named, ...unread, ...sizesOf(probed), reason: 'its soft cap changes with the input' } };
  const facts = {
    heads: shape.heads,
    kvHeads: shape.kvHeads,
    headDim: shape.headDim,
    ...(views.query.padding !== views.value.padding && {
      widths: { keys: ownWidth(views.key, shape.headDim), values: ownWidth(views.value, shape.headDim) },
    }),
    dtype: shape.dtype,
    selfAttention: observed.every(({ shape: { queries, keys } }) => queries === keys),
    ...(attendsBuffers(candidate, observed) && { crossAttention: true as const }),
    ...tokensOf(observed.map((each) => each.shape)),
    dynamic: dynamicAxes(observed, probed.batchVaries),
    ...(softcap !== undefined && { softcap }),
    ...(candidate.sinks !== undefined && { sinks: true as const }),
  };
  const spans = beyond === undefined ? undefined : window === undefined ? [] : [window];
  const short = understand(candidate, probed, observed, spans);
  const seen = beyond !== undefined && 'problem' in short ? { problem: beyond, mask: 'other' as const } : short;
  const assumed = 'problem' in seen && assumption !== undefined ? assume(candidate, observed, probed.domains, assumption) : undefined;
  const shown = assumed ?? seen;
  const understood = candidate.refusal === undefined ? withBias(candidate, probed, observed, shown) : shown;
  const reason = candidate.refusal ?? ('problem' in understood ? understood.problem : undefined);
  if ('problem' in understood) {
    const { mask = null, causal = null, scale = null } = understood;
    return { site: { ...named, ...facts, mask, causal, scale, swappable: false, reason: reason! } };
  }
  const { source, bias, ...does } = understood;
  const told = assumed === undefined ? {} : { assumed: assumptionText(assumption!) };
  const site = { ...named, ...facts, ...does, ...told, swappable: reason === undefined, ...(reason !== undefined && { reason }) };
  if (reason !== undefined) return { site };
  const project = candidate.declared?.project;
  const plan = {
    ...views,
    ...(source !== undefined && { mask: source }),
    ...(bias !== undefined && { bias }),
    ...(candidate.sinks !== undefined && { sinks: candidate.sinks }),
    ...(project !== undefined && { project }),
  };
  return { site, swap: { site, plan } };
}

/** Whether keys lie in buffers that go on behind the queries' own positions: these are then not the last of them. */
function attendsBuffers(candidate: Candidate, observed: readonly Observation[]): boolean {
  const others = observed.filter(({ shape: { queries, keys } }) => queries !== keys);
  return others.some(({ style, reading }) => countsStored(candidate) || (style === 'plain' && hidesLastKey(reading)));
}

/** What the sizes alone say of a site that is not understood. */
function sizesOf({ views, names, runs }: Probed): Partial<Pick<Site, 'heads' | 'kvHeads' | 'headDim' | 'dtype'>> {
  const [query, key] = [names.query, names.key].map((name) => runs[0]?.seen.tensor(name));
  if (views === undefined || query === undefined || key === undefined) return {};
  return { heads: query.dims[1]!, kvHeads: key.dims[1]!, headDim: query.dims[3]!, dtype: dtypeOf(query) ?? null };
}

type Understood =
  | {
      readonly scale: number;
      readonly mask: 'none' | 'padding' | 'window' | 'bias';
      readonly causal: boolean | null;
      readonly source?: DeclaredMask | undefined;
      readonly window?: Span;
      readonly bias?: AppendBias;
      readonly biasPerHead?: boolean;
    }
  | {
      readonly problem: string;
      readonly scale?: number;
      readonly mask?: 'none' | 'padding' | 'window' | 'other';
      readonly causal?: boolean;
    };

/**
 * What a site does in all runs, of the model and of its mask alone: scale, causality, a window and padding, and that nothing else happens.
 * @param spans what a query may see beside padding: any that these runs show, where absent
 */
function understand(
  candidate: Candidate,
  { sources, values, evidence, reach, runs }: Probed,
  observed: readonly Observation[],
  spans?: readonly Span[],
): Understood {
  const seen = [...observed, ...evidence.runs].filter(({ reading }) => !isBlind(reading));
  if (seen.length === 0) return { problem: 'none of its queries saw a key in any run' };
  const readings = seen.map(({ reading }) => reading);
  const problem = readings.map((reading) => reading.problem).find(Boolean) ?? evidence.problem;
  const fitting = fittingSpan(readings, spans ?? spansOf(candidate, readings));
  if (fitting === undefined) {
    const odd = readings.find((reading) => [false, true].every((causal) => keptKeys(reading, denseSpan(causal)) === undefined));
    return { problem: problem ?? (odd === undefined ? 'it is causal in some runs and not in others' : otherMask(odd)), mask: 'other' };
  }
  const { span, keeps } = fitting;
  const window = Number.isFinite(span.left) ? span : undefined;
  const causal = span.right === 0;
  const isPadded = keeps.some((keep) => keep.includes(0));
  const mask = window !== undefined ? 'window' : isPadded ? 'padding' : 'none';
  if (problem !== undefined) return { problem, mask, causal };
  const scale = settleScale(candidate, seen, observed[0]!);
  if (scale === undefined) return { problem: 'its scale changes with the input' };
  const unsettled = scaleFault(reach, runs, observed[0]!.ownDim);
  if (unsettled !== undefined) return { problem: unsettled, scale, mask, causal };
  const wrong = observed.map((observation) => disagreement(observation, { scale, causal, biased: window !== undefined })).find(Boolean);
  if (wrong !== undefined) return { problem: wrong, scale, mask, causal };
  const does = { scale, mask, causal, ...(window !== undefined && { window }) } as const;
  if (!isPadded) return does;
  const matching = maskSources(candidate, { sources, values }, seen, keeps);
  const source = matching.find(({ tensor }) => reach.around(tensor).size === 0);
  if (source === undefined && matching.length > 0) {
    const around = [...reach.around(matching.at(-1)!.tensor)].join(', ');
    const problem = `${around} reaches its mask in more than one way, and no run showed what each does`;
    return { problem, scale, mask, causal };
  }
  if (source === undefined)
    return {
      problem: 'its padding does not come from a tensor that says of each key whether it counts, and nothing else',
      scale,
      mask,
      causal,
    };
  return { ...does, source };
}

/** What queries may see beside padding, as far as an operator says or runs show. */
function* spansOf({ declared }: Candidate, readings: readonly MaskReading[]): Generator<Span> {
  if (declared?.window?.ends !== undefined) return;
  if (declared?.window !== undefined) return yield { left: declared.window.keys - 1, right: 0 };
  yield denseSpan(false);
  yield denseSpan(true);
  const window = windowIn(readings);
  if (window !== undefined) yield window;
}

/** The first span that masks have in all runs, with the keys that each keeps within it. */
function fittingSpan(readings: readonly MaskReading[], spans: Iterable<Span>) {
  for (const span of spans) {
    const keeps = readings.map((reading) => keptKeys(reading, span)).filter((keep) => keep !== undefined);
    if (keeps.length === readings.length) return { span, keeps };
  }
  return undefined;
}

/** Why a scale is not the same in every call: see {@link scaleSources}. */
function scaleFault({ scale }: Reach, runs: ReadonlyArray<{ readonly seen: Seen }>, ownDim: number): string | undefined {
  const tensors = runs.map(({ seen: { tensor } }) => tensor);
  return scale.problem ?? unsettledSize(scale, tensors, ownDim);
}

/** A site with what is handed to kernels that do not know its mask otherwise. */
function withBias(candidate: Candidate, probed: Probed, observed: readonly Observation[], shown: Understood): Understood {
  if ('problem' in shown) return understandBias(candidate, probed, observed, shown);
  if (shown.window === undefined) return shown;
  const handed = understandBias(candidate, probed, observed, { problem: 'its mask is a window', mask: 'other' });
  return 'problem' in handed ? handed : { ...shown, bias: handed.bias! };
}

/**
 * What a site does whose mask is more than causality and padding, or cannot be told from runs: where its logits are linear in the product, what
 * is added to them is handed on as the model computes it, whatever it holds.
 */
function understandBias(
  candidate: Candidate,
  { reach }: Probed,
  observed: readonly Observation[],
  shown: Extract<Understood, { readonly problem: string }>,
): Understood {
  const counted = observed.filter(({ reading }) => !isBlind(reading));
  const { shape } = observed[0]!;
  const nonlinear = counted.map(({ reading }) => reading.nonlinear).find((each) => each !== undefined) ?? reach.unsettled;
  if (counted.length === 0 || nonlinear !== undefined) return nonlinear === undefined ? shown : { ...shown, problem: nonlinear };
  const runs = observed.map(({ seen, reading: { sizes } }) => ({ seen, sizes }));
  const bias = biasOf(candidate, reach, runs, shape.dtype === 'f16' ? 'f16' : 'f32');
  if (typeof bias === 'string' && !shown.problem.includes(bias)) return { ...shown, problem: `${shown.problem}; ${bias}` };
  if (bias === undefined || typeof bias === 'string') return shown;
  const scale = settleScale(candidate, counted, observed[0]!);
  const unsettled = scale === undefined ? 'its scale changes with the input' : scaleFault(reach, runs, observed[0]!.ownDim);
  if (scale === undefined || unsettled !== undefined) return { problem: unsettled! };
  // A bias hides later keys itself where it does; what the operator hides from the last key on is not in it. Kernels count from the last key too:
  // an operator that counts from the first one is causal to them only where both are the same.
  const from = candidate.declared?.causal ?? false;
  const causal = from === 'first' ? observed.every(({ shape: { queries, keys } }) => queries === keys) : from !== false;
  if (causal && !observed.every(({ reading }) => isCausal(reading))) return shown;
  const wrong = counted.map((observation) => disagreement(observation, { scale, causal, biased: true })).find(Boolean);
  if (wrong !== undefined) return { ...shown, problem: wrong };
  const biasPerHead = counted.some(({ reading }) => reading.headsDiffer);
  return { scale, causal: causal || null, mask: 'bias', bias, biasPerHead };
}

/** What a site does by what a user knows of its mask, as far as the runs in which everything counts agree; undefined where they do not. */
function assume(
  candidate: Candidate,
  observed: readonly Observation[],
  domains: Domains,
  { mask, input }: Assumption,
): Understood | undefined {
  const counted = observed.filter(({ style, reading }) => style === 'plain' && !isBlind(reading) && reading.problem === undefined);
  const isForm = (causal: boolean) =>
    counted.every(({ reading }) => keptKeys(reading, denseSpan(causal))?.every((kept) => kept === 1) === true);
  const causal = mask === 'causal' || (mask === 'padding' && !isForm(false));
  const scale = counted.length === 0 || !isForm(causal) ? undefined : settleScale(candidate, counted, counted[0]!);
  if (scale === undefined || counted.some((observation) => disagreement(observation, { scale, causal }) !== undefined)) return undefined;
  if (input === undefined) return { scale, causal, mask: 'none' };
  if (counted.some(({ seen, shape }) => !isPerKey(seen.tensor(input)?.dims ?? [], shape))) return undefined;
  const domain = domains[input];
  return {
    scale,
    causal,
    mask: 'padding',
    source: { tensor: input, rule: domain?.kind === 'flags' && domain.keeps === 0 ? 'drop' : 'keep' },
  };
}

/**
 * The tensors, of those that the site's mask is computed from, that say which keys are kept and nothing else, right in every run, the nearest
 * first.
 */
function maskSources(
  { declared }: Candidate,
  { sources, values: few }: Pick<Probed, 'sources' | 'values'>,
  seen: ReadonlyArray<{ readonly seen: Seen; readonly reading: MaskReading }>,
  keeps: readonly Uint8Array[],
): DeclaredMask[] {
  const rules: readonly MaskRule[] = ['additive', 'keep', 'drop'];
  const options = sources.flatMap((tensor) => rules.map((rule) => ({ tensor, rule })));
  // What flags and counts mean to an operator is known; a tensor that it adds to its logits may hold anything.
  const own = declared?.masks.filter(({ rule }) => rule !== 'additive') ?? [];
  const added = declared?.masks.filter(({ rule }) => rule === 'additive') ?? [];
  return [...[...options, ...added].filter(({ tensor, rule }) => few.isSaidBy(rule, tensor)), ...own].filter(({ tensor, rule }) =>
    seen.every((run, at) => {
      const values = run.seen.tensor(tensor);
      const kept = values === undefined ? undefined : keptBy(values, rule, run.reading.sizes);
      return kept !== undefined && kept.every((value, key) => [value, unseenKey].includes(keeps[at]![key]!));
    }),
  );
}

/** How many tokens a site has, where that is the same in all calls. */
export function tokensOf(calls: ReadonlyArray<{ readonly queries: number; readonly keys: number }>): Pick<Site, 'tokens'> {
  const sizes = new Set(calls.flatMap(({ queries, keys }) => [queries, keys]));
  const [tokens] = sizes;
  return sizes.size === 1 ? { tokens: tokens! } : {};
}

function dynamicAxes(observed: readonly Observation[], batchVaries: boolean): string[] {
  return (['batch', 'queries', 'keys'] as const).filter(
    (axis) => (axis === 'batch' && batchVaries) || new Set(observed.map(({ shape }) => shape[axis])).size > 1,
  );
}
