import type { DType, Shape } from '../contract/shape.ts';
import type { Tensor, Tensors } from '../contract/tensor.ts';
import { referenceOutput } from '../variants/reference.ts';
import { findVariant } from '../variants/index.ts';
import type { Candidate, DeclaredMask, MaskRule } from './candidate.ts';
import { nodeName } from './graph-index.ts';
import { addedBy, keptBy, numbersOf } from './mask-sources.ts';
import type { Probed } from './probe-candidates.ts';
import type { ProbeRun } from './probe.ts';
import { readLogits, readMask } from './read-logits.ts';
import type { MaskReadings, Observation } from './read-logits.ts';
import type { Site, SwappableSite } from './site.ts';

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

/** What a candidate is, by what it did: a site, and how to swap it where it is attention as defined. */
export function readSite(candidate: Candidate, number: number, probed: Probed): { site: Site; swap?: SwappableSite } {
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
    dynamic: dynamicAxes(observed),
  };
  const understood = understand(candidate, probed, observed);
  const reason = candidate.refusal ?? ('problem' in understood ? understood.problem : undefined);
  if ('problem' in understood) {
    const { mask = null, causal = null, scale = null } = understood;
    return { site: { ...named, ...facts, mask, causal, scale, swappable: false, reason: reason! } };
  }
  const { source, ...does } = understood;
  const site = { ...named, ...facts, ...does, swappable: reason === undefined, ...(reason !== undefined && { reason }) };
  if (reason !== undefined) return { site };
  const project = candidate.declared?.project;
  const plan = { ...views, ...(source !== undefined && { mask: source }), ...(project !== undefined && { project }) };
  return { site, swap: { site, plan } };
}

/** What the sizes alone say of a site that is not understood. */
function sizesOf({ views, names, runs }: Probed): Partial<Pick<Site, 'heads' | 'kvHeads' | 'headDim' | 'dtype'>> {
  const [query, key] = [names.query, names.key].map((name) => runs[0]?.tensors[name]);
  if (views === undefined || query === undefined || key === undefined) return {};
  return { heads: query.dims[1]!, kvHeads: key.dims[1]!, headDim: query.dims[3]!, dtype: dtypeOf(query) ?? null };
}

function dtypeOf({ type }: Tensor): DType | undefined {
  return type === 'float32' ? 'f32' : type === 'float16' ? 'f16' : undefined;
}

const misfit = 'its tensors are neither [batch, heads, n, d] nor [batch·heads, n, d] nor [batch, n, heads·d]';

type Observed = Observation & { readonly run: ProbeRun };

/** The runs as observations, or what is wrong with their sizes. */
function observeAll(candidate: Candidate, { names, runs }: Probed): Observed[] | string {
  const observed: Observed[] = [];
  for (const run of runs) {
    const { tensors } = run;
    const [query, key, value, output] = [names.query, names.key, names.value, names.output].map((name) => tensors[name]!);
    const [batch = 0, heads = 0, queries = 0, headDim = 0] = query!.dims;
    const [keyBatch = 0, kvHeads = 0, keys = 0, keyDim = 0] = key!.dims;
    const [, , , valueDim = 0] = value!.dims;
    if (keyDim !== headDim || valueDim !== headDim)
      return `queries, keys and values have head dimensions ${headDim}, ${keyDim} and ${valueDim}`;
    if (keyBatch !== batch || kvHeads === 0 || heads % kvHeads !== 0) return misfit;
    const dtype = dtypeOf(query!);
    if (dtype === undefined) return `it computes in ${query!.type}, and kernels are f32 and f16`;
    // A sequence that begins with padding may leave NaN in it, which the next layer then reads.
    const whole = [query!, key!, value!].every((tensor) => numbersOf(tensor).every(Number.isFinite));
    if (query!.dims.includes(0) || key!.dims.includes(0) || !whole) continue;
    const shape: Shape = { batch, heads, kvHeads, queries, keys, headDim, causal: false, dtype };
    const sums = sumsOf(candidate, tensors, shape);
    if (typeof sums === 'string') return sums;
    observed.push({
      run,
      shape,
      query: numbersOf(query!),
      key: numbersOf(key!),
      value: numbersOf(value!),
      output: numbersOf(output!),
      ...sums,
    });
  }
  return observed.length === 0 ? 'it saw no numbers in any run' : observed;
}

function sumsOf({ logits, declared }: Candidate, tensors: Tensors, shape: Shape): Pick<Observation, 'logits' | 'added'> | string {
  const pairs = shape.batch * shape.heads * shape.queries * shape.keys;
  if (logits !== undefined) {
    const values = numbersOf(tensors[logits]!);
    return values.length === pairs ? { logits: values } : 'its logits are not [batch, heads, queries, keys]';
  }
  if (declared === undefined || (!declared.causal && declared.masks.length === 0)) return {};
  const added = new Float32Array(pairs);
  for (const { tensor, rule } of declared.masks) {
    const adds = tensors[tensor] === undefined ? undefined : addedBy(tensors[tensor], rule, shape);
    if (adds === undefined) return `its mask ${tensor} is none of the known forms`;
    for (let at = 0; at < pairs; at++) added[at]! += adds[at]!;
  }
  const { queries, keys } = shape;
  if (declared.causal)
    for (let at = 0; at < pairs; at++) if (at % keys > (Math.floor(at / keys) % queries) + keys - queries) added[at] = -Infinity;
  return { added };
}

type Understood =
  | { readonly scale: number; readonly mask: 'none' | 'padding'; readonly causal: boolean; readonly source?: DeclaredMask }
  | { readonly problem: string; readonly scale?: number; readonly mask?: 'none' | 'padding' | 'other'; readonly causal?: boolean };

/** What a site does in all runs: scale, causality and padding, and that nothing else happens. */
function understand(candidate: Candidate, probed: Probed, observed: readonly Observed[]): Understood {
  const masks: MaskReadings[] = [];
  const scales: number[] = [];
  const problems: string[] = [];
  for (const observation of observed) {
    const reading = readLogits(observation, candidate.declared?.scale);
    if (reading.allowed === undefined) return reading;
    if (reading.problem !== undefined) problems.push(reading.problem);
    scales.push(reading.scale);
    masks.push(readMask(reading.allowed, observation.shape));
  }
  const scale = scales[0]!;
  const causal = masks.every(({ full }) => full !== undefined)
    ? false
    : masks.every((mask) => mask.causal !== undefined)
      ? true
      : undefined;
  if (causal === undefined) return { problem: problems[0] ?? 'its mask is neither padding nor causal', mask: 'other' };
  const keeps = masks.map((mask) => (causal ? mask.causal! : mask.full!));
  const mask = keeps.every((keep) => keep.every((kept) => kept === 1)) ? 'none' : 'padding';
  if (problems[0] !== undefined) return { problem: problems[0], mask, causal };
  if (scales.some((other) => Math.abs(other / scale - 1) > 0.01)) return { problem: 'its scale changes with the input' };
  const wrong = observed.map((observation, run) => disagreement(observation, { scale, causal, keep: keeps[run]! })).find(Boolean);
  if (wrong !== undefined) return { problem: wrong, scale, mask, causal };
  if (mask === 'none') return { scale, mask, causal };
  const source = maskSource(candidate, probed, observed, keeps);
  if (source === undefined) return { problem: 'its padding comes from no tensor with a value a key', scale, mask, causal };
  return { scale, mask, causal, source };
}

/** The output must be softmax(scale·q·kᵀ)·v in float64; rows that see nothing are anyone's choice. */
function disagreement(
  observation: Observation,
  { scale, causal, keep }: { scale: number; causal: boolean; keep: Uint8Array },
): string | undefined {
  const { shape, query, key, value, output } = observation;
  const expected = referenceOutput({ shape: { ...shape, causal }, query, key, value, mask: keep, scale }, findVariant('dense'), {});
  let difference = 0;
  let size = 0;
  for (let row = 0; row < output.length; row += shape.headDim) {
    const vector = expected.subarray(row, row + shape.headDim);
    if (vector.every((component) => component === 0)) continue;
    vector.forEach((component, at) => {
      difference += (output[row + at]! - component) ** 2;
      size += component ** 2;
    });
  }
  const relative = Math.sqrt(difference / (size || 1));
  if (relative < (shape.dtype === 'f32' ? 1e-4 : 2e-2)) return undefined;
  return `its output is not softmax(${scale.toPrecision(4)}·q·kᵀ)·v: it differs by ${relative.toPrecision(2)} of its size`;
}

/** A tensor that says which keys are kept, right in every run, of those that the site's mask is computed from: inputs of the model first. */
function maskSource(
  candidate: Candidate,
  probed: Probed,
  observed: readonly Observed[],
  keeps: readonly Uint8Array[],
): DeclaredMask | undefined {
  const declared = candidate.declared?.masks ?? [];
  const rules: readonly MaskRule[] = ['keep', 'drop', 'additive'];
  const options = probed.sources.flatMap((tensor) => rules.map((rule) => ({ tensor, rule })));
  return [...options, ...declared].find(({ tensor, rule }) =>
    observed.every(({ run, shape }, at) => agrees(run, { tensor, rule }, shape, keeps[at]!)),
  );
}

function agrees({ tensors }: ProbeRun, { tensor, rule }: DeclaredMask, shape: Shape, keep: Uint8Array): boolean {
  const values = tensors[tensor];
  const kept = values === undefined ? undefined : keptBy(values, rule, shape);
  return kept !== undefined && kept.every((value, at) => value === keep[at]);
}

function dynamicAxes(observed: readonly Observation[]): string[] {
  return (['batch', 'queries', 'keys'] as const).filter((axis) => new Set(observed.map(({ shape }) => shape[axis])).size > 1);
}
