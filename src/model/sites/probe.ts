import { AttnswapError } from '../../contract/errors.ts';
import type { ModelInput } from '../../contract/adapter.ts';
import type { Tensors } from '../../contract/tensor.ts';
import type { DimensionSizes } from '../../inputs/model-inputs.ts';
import { fitSizes } from '../fit/fit-sizes.ts';
import type { Fit } from '../fit/fit-sizes.ts';
import type { GraphIndex } from '../graph/graph-index.ts';
import type { Domains } from './input-domains.ts';
import { givenName, guessSizes, named, probeInputs, sizesOfInputs, sizesOfReal } from './probe-inputs.ts';
import type { ProbeCase } from './probe-inputs.ts';
import type { Seen, WatchedModel } from './watch.ts';

/** One run of a model on drawn inputs, and what it showed. */
export interface ProbeRun {
  readonly at: ProbeCase;
  readonly seen: Seen;
}

/** How a model is run on drawn inputs. */
export interface Prober {
  readonly model: WatchedModel;
  readonly inputs: readonly ModelInput[];
  readonly given: DimensionSizes;
}

/** Gives inputs of the user's own for a model's. */
export type RealInputs = (inputs: readonly ModelInput[]) => Promise<Tensors>;

/** Sizes of a tensor, as far as they are known. */
export type DimsOf = (tensor: string) => ReadonlyArray<number | undefined> | undefined;

/** What a first run is to show. */
export interface FirstRun {
  readonly index: GraphIndex;
  readonly realInputs?: RealInputs | undefined;
  readonly domains: Domains;
  /** Whether sizes as these show enough. */
  readonly enough: (dims: DimsOf) => boolean;
}

/** @throws what the runtime throws */
export async function runProbe({ model, inputs, given }: Prober, at: ProbeCase): Promise<ProbeRun> {
  return { at, seen: await model.run(probeInputs(inputs, at, given)) };
}

const lengths = [7, 32, 64, 160, 320];
/** Sound and the like, which few tokens are made of; taken only where the graph says that a run shows enough. */
const longLengths = [1024, 4096, 16_384];
const allLengths = [...lengths, ...longLengths];
const vocabularies = [100, 8];
const plainCase = { style: 'plain', length: lengths[0]!, seed: 1, vocabulary: vocabularies[0]!, domains: {} } as const;
/** Bytes of all tensors of a first run, and of what is drawn for it; CPU time of all runs that look for one. */
const mostBytes = 2 ** 29;
const mostDrawn = 2 ** 26;
const mostSeconds = 20;

/**
 * The smallest case that a model runs and that shows enough: images need more than a few pixels, and a vocabulary may be tiny. The
 * largest that it runs where none shows enough. Sizes that the graph fixes, or refuses, are read off it first.
 * @throws INVALID_INPUTS with the first failure where it runs none
 */
export async function findProbeCase(prober: Prober, first: FirstRun): Promise<ProbeRun> {
  const { inputs, given } = prober;
  const failures: string[] = [];
  const tried = new Set<string>();
  const started = process.cpuUsage();
  for await (const start of startsOf(inputs, first)) {
    let largest: ProbeRun | undefined;
    for (const each of casesInOrder(prober, first, start)) {
      const sizes = sizesOfInputs(inputs, each, given);
      const key = (vocabulary: number) => JSON.stringify([sizes, each.real === undefined, vocabulary]);
      const { user, system } = process.cpuUsage(started);
      const isOverdue = each.real === undefined && user + system > mostSeconds * 1e6;
      const isTooLarge = bytesOf(sizes) > mostDrawn && each.length > lengths[0]!;
      if (isOverdue || isTooLarge || tried.has(key(each.vocabulary))) continue;
      tried.add(key(each.vocabulary));
      try {
        const run = await runProbe(prober, each);
        if (first.enough(run.seen.dims)) return run;
        for (const vocabulary of vocabularies) tried.add(key(vocabulary));
        if (largest === undefined || run.at.length > largest.at.length) largest = run;
      } catch (error) {
        failures.push((error as Error).message);
      }
    }
    if (largest !== undefined) return largest;
  }
  throw new AttnswapError('INVALID_INPUTS', `the model failed on every set of random inputs: ${failures[0]}`, {
    hint: hintOf(inputs, given),
  });
}

/** Batches and pasts to begin with: exporters bake a batch of 1 in, and caches begin empty; then the user's own inputs, at other sizes and at theirs. */
async function* startsOf(inputs: readonly ModelInput[], { domains, realInputs }: FirstRun): AsyncGenerator<ProbeCase> {
  const base = { ...plainCase, domains };
  const small = { ...base, batch: 2, past: 3 };
  const smallest = { ...base, batch: 1, past: 0 };
  yield small;
  yield smallest;
  if (realInputs === undefined) return;
  const real = await realInputs(inputs);
  yield { ...small, real };
  yield { ...smallest, real };
  yield { ...smallest, real, fixed: sizesOfReal(inputs, real) };
}

/** Sizes of a model's dynamic dimensions that suit its graph, at any length, by the batch and the past of a case. */
function fitOf({ inputs, given }: Omit<Prober, 'model'>, index: GraphIndex, at: ProbeCase): Fit {
  return fitSizes({
    index,
    inputs: named(inputs),
    given,
    lengths: allLengths,
    sizesAt: (length, fixed) => guessSizes(inputs, { ...at, length, fixed: { ...at.fixed, ...fixed } }, given),
  });
}

/** Sizes of a model's tensors in the smallest run that suits its graph, as far as they are known. */
export function smallestDims(prober: Omit<Prober, 'model'>, index: GraphIndex): DimsOf {
  const fit = fitOf(prober, index, { ...plainCase, batch: 2, past: 3 });
  return fit.at(allLengths.find((length) => fit.at(length).conflict === undefined) ?? plainCase.length).dims;
}

/** Cases of a batch and a past: what suits the graph and shows enough by it, the shortest first; then what may do all the same. */
function* casesInOrder(prober: Prober, { index, enough }: FirstRun, at: ProbeCase): Generator<ProbeCase> {
  const fit = fitOf(prober, index, at);
  const caseAt = (length: number, vocabulary: number): ProbeCase => ({
    ...at,
    length,
    vocabulary,
    fixed: { ...at.fixed, ...fit.fixed },
    tables: Object.fromEntries(fit.at(length).tables),
    positive: [...fit.at(length).positive],
  });
  const doubtful: number[] = [];
  for (const length of allLengths) {
    const { conflict, bytes, dims } = fit.at(length);
    if (conflict !== undefined || isLarge(length, bytes) || !enough(dims)) doubtful.push(length);
    else for (const vocabulary of vocabularies) yield caseAt(length, vocabulary);
  }
  for (const length of doubtful)
    if (lengths.includes(length) && !isLarge(length, fit.at(length).bytes))
      for (const vocabulary of vocabularies) yield caseAt(length, vocabulary);
}

/** Whether a run would hold too much; sizes that stay large at the shortest length are the model's own. */
function isLarge(length: number, bytes: number): boolean {
  return bytes > mostBytes && length > lengths[0]!;
}

function bytesOf(sizes: readonly number[][]): number {
  return sizes.reduce((sum, dims) => sum + 4 * dims.reduce((product, size) => product * size, 1), 0);
}

/** What to give where nothing that was drawn did. */
function hintOf(inputs: readonly ModelInput[], given: DimensionSizes): string {
  const open = new Map<string, string>();
  for (const { name: input, dims } of named(inputs))
    for (const [axis, size] of dims.entries())
      if (typeof size === 'string' && given[givenName(size)] === undefined && !open.has(size)) open.set(size, `axis ${axis} of ${input}`);
  const places = [...open].map(([name, place]) => `${givenName(name)} (${place})`);
  if (places.length === 0) return 'give real inputs with --data, for example an .npz file that holds all inputs of one call';
  const [first = ''] = open.keys();
  return `give real inputs with --data, or the sizes that the model takes, for example --dim ${givenName(first)}=1; its dynamic dimensions are ${places.join(', ')}`;
}
