import type { Shape } from '../../contract/shape.ts';
import type { Tensor } from '../../contract/tensor.ts';
import { referenceOutput } from '../../variants/reference.ts';
import { findVariant } from '../../variants/index.ts';
import { sampleRows } from '../../variants/sample-rows.ts';
import type { Candidate, DeclaredMask } from './candidate.ts';
import { carriedSizes } from './carried-sizes.ts';
import { assumptionText } from './assume.ts';
import { nodeName } from '../graph/graph-index.ts';
import type { Domains, Style } from './input-domains.ts';
import { isPerKey, keptBy, numbersOf } from './mask-sources.ts';
import type { MaskRule } from './mask-sources.ts';
import type { Probed } from './probe-candidates.ts';
import { isBlind, keptKeys, operatorScale, otherMask, readMasks, tolerances } from './read-masks.ts';
import type { MaskReading } from './read-masks.ts';
import type { Assumption, Site, SwappableSite } from './site.ts';
import { unsettledSize } from './settled-scale.ts';
import type { Seen } from './watch.ts';

const unread = {
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

/**
 * What a candidate is, by what it did: a site, and how to swap it where it is attention as defined.
 * @param assumption taken for a mask that runs do not settle
 */
export function readSite(
  candidate: Candidate,
  number: number,
  probed: Probed,
  assumption?: Assumption,
): { site: Site; swap?: SwappableSite } {
  const named = { site: number, node: nodeName(candidate.anchor), pattern: candidate.pattern };
  const { views } = probed;
  const observed = views === undefined ? misfit : observeAll(candidate, probed);
  if (typeof observed === 'string' || views === undefined)
    return {
      site: { ...named, ...unread, ...sizesOf(probed), reason: candidate.refusal ?? (typeof observed === 'string' ? observed : misfit) },
    };
  const { shape } = observed[0]!;
  const facts = {
    heads: shape.heads,
    kvHeads: shape.kvHeads,
    headDim: shape.headDim,
    dtype: shape.dtype,
    selfAttention: observed.every(({ shape: { queries, keys } }) => queries === keys),
    dynamic: dynamicAxes(observed, probed.batchVaries),
  };
  const seen = understand(candidate, probed, observed);
  const assumed = 'problem' in seen && assumption !== undefined ? assume(candidate, observed, probed.domains, assumption) : undefined;
  const understood = assumed ?? seen;
  const reason = candidate.refusal ?? ('problem' in understood ? understood.problem : undefined);
  if ('problem' in understood) {
    const { mask = null, causal = null, scale = null } = understood;
    return { site: { ...named, ...facts, mask, causal, scale, swappable: false, reason: reason! } };
  }
  const { source, ...does } = understood;
  const told = assumed === undefined ? {} : { assumed: assumptionText(assumption!) };
  const site = { ...named, ...facts, ...does, ...told, swappable: reason === undefined, ...(reason !== undefined && { reason }) };
  if (reason !== undefined) return { site };
  const project = candidate.declared?.project;
  const plan = { ...views, ...(source !== undefined && { mask: source }), ...(project !== undefined && { project }) };
  return { site, swap: { site, plan } };
}

/** What the sizes alone say of a site that is not understood. */
function sizesOf({ views, names, runs }: Probed): Partial<Pick<Site, 'heads' | 'kvHeads' | 'headDim' | 'dtype'>> {
  const [query, key] = [names.query, names.key].map((name) => runs[0]?.seen.tensor(name));
  if (views === undefined || query === undefined || key === undefined) return {};
  return { heads: query.dims[1]!, kvHeads: key.dims[1]!, headDim: query.dims[3]!, dtype: dtypeOf(query) ?? null };
}

function dtypeOf({ type }: Tensor): 'f32' | 'f16' | undefined {
  return type === 'float32' ? 'f32' : type === 'float16' ? 'f16' : undefined;
}

const misfit = 'its tensors are neither [batch, heads, n, d] nor [batch·heads, n, d] nor [batch, n, heads·d]';

/** One attention of one run, as the model computed it. */
interface Observation {
  readonly style: Style;
  readonly seen: Seen;
  /** `causal` is not known yet, and false. */
  readonly shape: Shape;
  /** `[batch, heads, queries, headDim]`. */
  readonly query: Float32Array;
  /** `[batch, kvHeads, keys, headDim]`. */
  readonly key: Float32Array;
  readonly value: Float32Array;
  /** `[batch, heads, queries, headDim]`. */
  readonly output: Float32Array;
  readonly reading: MaskReading;
}

/** The runs as observations, or what is wrong with their sizes. */
function observeAll(candidate: Candidate, { names, runs }: Probed): Observation[] | string {
  const observed: Observation[] = [];
  for (const { at, seen } of runs) {
    const [query, key, value, output] = [names.query, names.key, names.value, names.output].map((name) => seen.tensor(name)!);
    const [batch = 0, heads = 0, queries = 0, headDim = 0] = query!.dims;
    const [keyBatch = 0, kvHeads = 0, keys = 0, keyDim = 0] = key!.dims;
    const [, valueHeads, values, valueDim = 0] = value!.dims;
    if (keyDim !== headDim || valueDim !== headDim)
      return `queries, keys and values have head dimensions ${headDim}, ${keyDim} and ${valueDim}`;
    if (keyBatch !== batch || kvHeads === 0 || heads % kvHeads !== 0 || valueHeads !== kvHeads || values !== keys) return misfit;
    const known = observed[0]?.shape;
    if (known !== undefined && (known.headDim !== headDim || known.heads !== heads || known.kvHeads !== kvHeads))
      return `its sizes change with the input: ${known.heads} heads of ${known.headDim} in one run, ${heads} of ${headDim} in another`;
    const dtype = dtypeOf(query!);
    if (dtype === undefined) return `it computes in ${query!.type}; kernels support f32 and f16`;
    // A sequence that begins with padding may leave NaN in it, which the next layer then reads.
    const whole = [query!, key!, value!].every((tensor) => numbersOf(tensor).every(Number.isFinite));
    if (query!.dims.includes(0) || key!.dims.includes(0) || !whole) continue;
    const shape: Shape = { batch, heads, kvHeads, queries, keys, headDim, causal: false, dtype };
    const carried = candidate.path === undefined ? undefined : carriedSizes(candidate.path, seen);
    const run = { tensor: (name: string) => seen.tensor(name), dims: (name: string) => carried?.get(name) ?? [] };
    const reading = readMasks(candidate, run, { batch, heads, queries, keys }, tolerances[dtype]);
    if (reading === undefined) return 'its mask does not have a known size';
    if (typeof reading === 'string') return reading;
    const [q, k, v, o] = [query, key, value, output].map((tensor) => numbersOf(tensor!));
    observed.push({ style: at.style, seen, shape, query: q!, key: k!, value: v!, output: o!, reading });
  }
  return observed.length === 0 ? 'it received no finite numbers in any run' : observed;
}

type Understood =
  | { readonly scale: number; readonly mask: 'none' | 'padding'; readonly causal: boolean; readonly source?: DeclaredMask }
  | { readonly problem: string; readonly scale?: number; readonly mask?: 'none' | 'padding' | 'other'; readonly causal?: boolean };

/** What a site does in all runs, of the model and of its mask alone: scale, causality and padding, and that nothing else happens. */
function understand(candidate: Candidate, { sources, evidence, reach, runs }: Probed, observed: readonly Observation[]): Understood {
  const seen = [...observed, ...evidence.runs].filter(({ reading }) => !isBlind(reading));
  if (seen.length === 0) return { problem: 'none of its queries saw a key in any run' };
  const forms = seen.map(({ reading }) => ({ full: keptKeys(reading, false), causal: keptKeys(reading, true) }));
  const problem = seen.map(({ reading }) => reading.problem).find(Boolean) ?? evidence.problem;
  const causal = forms.every(({ full }) => full !== undefined)
    ? false
    : forms.every((form) => form.causal !== undefined)
      ? true
      : undefined;
  if (causal === undefined) {
    const odd = seen.find((_, run) => forms[run]!.full === undefined && forms[run]!.causal === undefined);
    return {
      problem: problem ?? (odd === undefined ? 'it is causal in some runs and not in others' : otherMask(odd.reading)),
      mask: 'other',
    };
  }
  const keeps = forms.map((form) => (causal ? form.causal! : form.full!));
  const mask = keeps.every((keep) => keep.every((kept) => kept === 1)) ? 'none' : 'padding';
  if (problem !== undefined) return { problem, mask, causal };
  const scale = settleScale(candidate, seen, observed[0]!.shape);
  if (scale === undefined) return { problem: 'its scale changes with the input' };
  const { headDim } = observed[0]!.shape;
  const unsettled =
    reach.scale.problem ??
    unsettledSize(
      reach.scale,
      runs.map(({ seen: { tensor } }) => tensor),
      headDim,
    );
  if (unsettled !== undefined) return { problem: unsettled, scale, mask, causal };
  const wrong = observed.map((observation) => disagreement(observation, { scale, causal })).find(Boolean);
  if (wrong !== undefined) return { problem: wrong, scale, mask, causal };
  if (mask === 'none') return { scale, mask, causal };
  const source = maskSource(candidate, sources, seen, keeps);
  if (source === undefined) return { problem: 'its padding does not come from a tensor with one value per key', scale, mask, causal };
  return { scale, mask, causal, source };
}

/** What a site does by what a user knows of its mask, as far as the runs in which everything counts agree; undefined where they do not. */
function assume(
  candidate: Candidate,
  observed: readonly Observation[],
  domains: Domains,
  { mask, input }: Assumption,
): Understood | undefined {
  const counted = observed.filter(({ style, reading }) => style === 'plain' && !isBlind(reading) && reading.problem === undefined);
  const isForm = (causal: boolean) => counted.every(({ reading }) => keptKeys(reading, causal)?.every((kept) => kept === 1) === true);
  const causal = mask === 'causal' || (mask === 'padding' && !isForm(false));
  const scale = counted.length === 0 || !isForm(causal) ? undefined : settleScale(candidate, counted, counted[0]!.shape);
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

/** The factor of the products, 1/√headDim, 1 or 1/headDim where it is that within rounding; undefined where runs differ. */
function settleScale(candidate: Candidate, seen: ReadonlyArray<{ reading: MaskReading }>, { headDim, dtype }: Shape): number | undefined {
  const own = operatorScale(candidate, headDim);
  const [first, ...others] = seen.map(({ reading }) => reading.scale * own);
  const rounding = dtype === 'f32' ? 1e-5 : 2e-3;
  const near = (a: number, b: number) => Math.abs(a / b - 1) < rounding;
  if (!Number.isFinite(first) || first === 0 || others.some((other) => !near(other, first!))) return undefined;
  return [1 / Math.sqrt(headDim), 1, 1 / headDim].find((usual) => near(first!, usual)) ?? first;
}

/** Rows that are computed again in float64 where there are more. */
const judgedRows = 1024;

/** The output must be softmax(scale·q·kᵀ)·v in float64; rows that see nothing are anyone's choice. */
function disagreement(observation: Observation, { scale, causal }: { scale: number; causal: boolean }): string | undefined {
  const { shape, query, key, value, output, reading } = observation;
  if (isBlind(reading)) return undefined;
  const mask = keptKeys(reading, causal)!;
  const rows = sampleRows(shape, { count: judgedRows, seed: 1 });
  const expected = referenceOutput({ shape: { ...shape, causal }, query, key, value, mask, scale }, findVariant('dense'), {}, rows);
  let difference = 0;
  let size = 0;
  for (const [place, { batch, head, query: row }] of rows.entries()) {
    const vector = expected.subarray(place * shape.headDim, (place + 1) * shape.headDim);
    if (vector.every((component) => component === 0)) continue;
    const at = ((batch * shape.heads + head) * shape.queries + row) * shape.headDim;
    vector.forEach((component, m) => {
      difference += (output[at + m]! - component) ** 2;
      size += component ** 2;
    });
  }
  const relative = Math.sqrt(difference / (size || 1));
  if (relative < (shape.dtype === 'f32' ? 1e-4 : 2e-2)) return undefined;
  return `its output is not softmax(${scale.toPrecision(4)}·q·kᵀ)·v: it differs by ${relative.toPrecision(2)} of its size`;
}

/** The nearest tensor, of those that the site's mask is computed from, that says which keys are kept, right in every run. */
function maskSource(
  { declared }: Candidate,
  sources: readonly string[],
  seen: ReadonlyArray<{ readonly seen: Seen; readonly reading: MaskReading }>,
  keeps: readonly Uint8Array[],
): DeclaredMask | undefined {
  const rules: readonly MaskRule[] = ['additive', 'keep', 'drop'];
  const options = sources.flatMap((tensor) => rules.map((rule) => ({ tensor, rule })));
  return [...options, ...(declared?.masks ?? [])].find(({ tensor, rule }) =>
    seen.every((run, at) => {
      const values = run.seen.tensor(tensor);
      const kept = values === undefined ? undefined : keptBy(values, rule, run.reading.sizes);
      return kept !== undefined && kept.every((value, key) => value === keeps[at]![key]);
    }),
  );
}

function dynamicAxes(observed: readonly Observation[], batchVaries: boolean): string[] {
  return (['batch', 'queries', 'keys'] as const).filter(
    (axis) => (axis === 'batch' && batchVaries) || new Set(observed.map(({ shape }) => shape[axis])).size > 1,
  );
}
