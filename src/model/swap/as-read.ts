import type { ModelProto } from 'onnx-buf';
import type { ModelInput } from '../../contract/adapter.ts';
import { AttnswapError } from '../../contract/errors.ts';
import type { Tensors } from '../../contract/tensor.ts';
import type { DimensionSizes } from '../../inputs/model-inputs.ts';
import { itemDrift } from '../../quality/drift.ts';
import { isFloat } from '../../quality/vectors.ts';
import type { OnnxFile } from '../file/onnx-file.ts';
import { usingModel } from '../file/open-proto.ts';
import type { ModelRunner } from '../file/open-proto.ts';
import { isCoarse } from '../graph/quantizes.ts';
import type { ModelSites } from '../sites/find-sites.ts';
import { numbersOf } from '../sites/mask-sources.ts';
import { distinctCases } from '../sites/probe-cases.ts';
import { probeInputs, sizesOfInputs } from '../sites/probe-inputs.ts';
import type { ProbeCase } from '../sites/probe-inputs.ts';
import { watchModel } from '../sites/watch.ts';
import type { WatchedModel } from '../sites/watch.ts';

/** A model that a backend runs and another one reads, with the attention that was found in it. */
export interface ReadModel {
  /** As it runs: the file's own, or with new attention. */
  readonly proto: ModelProto;
  readonly isNew?: boolean;
  readonly sites: ModelSites;
  readonly file: OnnxFile;
  readonly runner: ModelRunner;
  readonly dimensions?: DimensionSizes | undefined;
}

/** How far a backend's outputs may be from those of the backend that reads its models: steps of quantizers and of half precision add up. */
const within = { exact: 0.01, coarse: 0.1 } as const;

/**
 * Where a backend's models are read on another one (`Adapter.readsOn`), sites and new attention were judged there alone: both must compute the
 * same, or the backend's figures are of something else. Runs of drawn inputs without padding, with and without a past; the same inputs in both.
 * @throws UNSUPPORTED with the first attention that differs, or where no run tells
 */
export async function requireAsRead(model: ReadModel): Promise<void> {
  const { proto, sites, runner, dimensions = {} } = model;
  if (runner.adapter.readsOn === undefined) return;
  const outputs = proto.graph!.output.map(({ name }) => name);
  const limit = !runner.backend.endsWith('-cpu') || isCoarse(proto) ? within.coarse : within.exact;
  await usingBoth(model, outputs, async ({ read, ran, inputs }) => {
    const failures: string[] = [];
    let judged = 0;
    for (const { probe } of sites.scopes)
      for (const at of distinctCases(inputs, probe, dimensions).filter(({ style }) => style === 'plain')) {
        const feeds = probeInputs(inputs, at, dimensions);
        const [expected, actual] = [await read(feeds), await ran(feeds)];
        if (expected instanceof Error) continue;
        if (actual instanceof Error) {
          failures.push(actual.message);
          continue;
        }
        judged++;
        const fault = faultOf(expected, actual, limit);
        if (fault !== undefined)
          throw differing(model, `at ${caseText(at, inputs, dimensions)}: ${fault}`, await firstDifferent(model, feeds, limit));
      }
    if (judged === 0 && failures.length > 0)
      throw new AttnswapError('UNSUPPORTED', `${model.file.path}: ${runner.backend} ran it on no random inputs: ${failures[0]}`);
  });
}

function differing({ file, runner, isNew = false }: ReadModel, how: string, first: string): AttnswapError {
  const { readsOn } = runner.adapter;
  const what = `${isNew ? 'with its new attention, ' : ''}${runner.backend} does not compute what the model says`;
  return new AttnswapError('UNSUPPORTED', `${file.path}: ${what} ${how}, compared with ${readsOn}${first}`, {
    hint: isNew
      ? 'choose another kernel'
      : `replace its attention with --backend ${readsOn}, for example by swap --variant dense.tiled, and run the new model`,
  });
}

/** Of a decoder also how much it has cached. */
function caseText(at: ProbeCase, inputs: readonly ModelInput[], given: DimensionSizes): string {
  const sizes = (past: number) => JSON.stringify(sizesOfInputs(inputs, { ...at, past }, given));
  const cached = at.past === 0 ? 'an empty past' : `a past of ${at.past}`;
  return `batch ${at.batch} and length ${at.length}${sizes(at.past) === sizes(at.past + 1) ? '' : `, with ${cached}`}`;
}

/** What a model gives on some inputs, or how the call ended. */
type Run = (feeds: Tensors) => Promise<Tensors | Error>;

interface Both {
  /** On the backend that reads, every node as it is written. */
  readonly read: Run;
  readonly ran: Run;
  readonly inputs: readonly ModelInput[];
}

async function usingBoth<Result>(model: ReadModel, tensors: readonly string[], work: (both: Both) => Promise<Result>): Promise<Result> {
  const { proto, file, runner } = model;
  const open = (purpose: 'reading' | 'latency') => watchModel(proto, { tensors, sizes: [] }, file, runner, purpose);
  return usingModel(open('reading'), async (read) => {
    let opened: WatchedModel | undefined;
    const close = async () => {
      await opened?.dispose();
      opened = undefined;
    };
    // A worker may end with a call that fails: the next one has another.
    const ran = async (feeds: Tensors) => {
      opened ??= await open('latency');
      const outputs = await outputsOf(opened, feeds, tensors);
      if (outputs instanceof Error) await close();
      return outputs;
    };
    try {
      return await work({ read: (feeds) => outputsOf(read, feeds, tensors), ran, inputs: read.inputs });
    } finally {
      await close();
    }
  });
}

async function outputsOf(model: WatchedModel, feeds: Tensors, names: readonly string[]): Promise<Tensors | Error> {
  try {
    const seen = await model.run(feeds);
    return Object.fromEntries(names.flatMap((name) => (seen.tensor(name) === undefined ? [] : [[name, seen.tensor(name)!]])));
  } catch (error) {
    return error as Error;
  }
}

/** What differs by more than `limit` of its size; NaN and infinities of the one that reads are no one's fault. */
function faultOf(read: Tensors, ran: Tensors, limit: number): string | undefined {
  for (const [name, tensor] of Object.entries(read)) {
    if (!isFloat(tensor.type) || tensor.data.length === 0 || !numbersOf(tensor).every(Number.isFinite)) continue;
    const drift = itemDrift(name, { [name]: tensor }, ran[name] === undefined ? {} : { [name]: ran[name] }, { [name]: 'vectors' });
    if (drift.state === 'fault') return drift.reason;
    const { relativeError } = drift.outputs[0]!;
    if (relativeError !== null && relativeError > limit) return `output ${name} differs by ${relativeError.toPrecision(2)} of its size`;
  }
  return undefined;
}

/** The first site whose own output differs, in words; empty where none does, as further outputs change what a compiler merges. */
async function firstDifferent(model: ReadModel, feeds: Tensors, limit: number): Promise<string> {
  const { sites, proto } = model;
  const given = new Set(proto.graph!.node.flatMap(({ output }) => output));
  const own = [...sites.swappable.values()].filter(({ plan }) => plan.body === undefined && given.has(plan.output.tensor));
  const tensors = own.map(({ plan }) => plan.output.tensor);
  return usingBoth(model, tensors, async ({ read, ran }) => {
    const [expected, actual] = [await read(feeds), await ran(feeds)];
    if (expected instanceof Error || actual instanceof Error) return '';
    const wrong = own.find(({ plan: { output } }) => {
      const of = expected[output.tensor];
      return of !== undefined && faultOf({ [output.tensor]: of }, actual, limit) !== undefined;
    });
    if (wrong === undefined) return '';
    const { site, plan } = wrong;
    const { opType } = proto.graph!.node.find(({ output }) => output.includes(plan.output.tensor))!;
    return `; the first attention that differs is site ${site.site}${model.isNew === true ? '' : ` (${opType} ${site.node})`}`;
  });
}
