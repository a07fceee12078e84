import type { ModelProto } from 'onnx-buf';
import type { ModelInput, OpenModel } from '../../contract/adapter.ts';
import { AttnswapError } from '../../contract/errors.ts';
import type { Tensor, Tensors } from '../../contract/tensor.ts';
import type { DimensionSizes } from '../../inputs/model-inputs.ts';
import { tensorOf } from '../../inputs/model-inputs.ts';
import { itemDrift } from '../../quality/drift.ts';
import { GraphBuilder } from '../graph/graph-builder.ts';
import { opsetOf } from '../graph/graph-index.ts';
import type { ModelSites } from '../sites/find-sites.ts';
import { keptBy, numbersOf } from '../sites/mask-sources.ts';
import type { OnnxFile } from '../file/onnx-file.ts';
import { openProto, usingModel } from '../file/open-proto.ts';
import type { ModelRunner } from '../file/open-proto.ts';
import { maskedBelow } from '../sites/read-masks.ts';
import { probePrefix } from '../sites/raw-views.ts';
import { distinctCases } from '../sites/probe-cases.ts';
import { probeInputs } from '../sites/probe-inputs.ts';
import type { ProbeCase } from '../sites/probe-inputs.ts';
import { conditionOf, isTaken } from '../sites/scopes.ts';
import type { ProbedScope } from '../sites/scopes.ts';
import type { SwappableSite } from '../sites/site.ts';
import { appendView, viewedSizes } from '../sites/views.ts';
import { watchModel } from '../sites/watch.ts';
import type { Seen } from '../sites/watch.ts';
import { withSeeds } from './seeded.ts';

/** One run of both models. */
export interface ComparedRun {
  readonly batch: number;
  /** New tokens. */
  readonly length: number;
  /** Tokens in a decoder's cache; absent where the call is a whole sequence, and for ONNX models. */
  readonly past?: number;
  /** How the inputs that reach a mask were drawn: see {@link styles}. */
  readonly style: string;
  /** The largest ‖swapped − original‖ / ‖original‖ of an output, over positions that see a key; null where no output has such positions alone. */
  readonly relative: number | null;
  /** Queries that see no key: what attention gives them is not defined. */
  readonly blindQueries: number;
}

/** How far a swapped model's outputs are from the original's, on drawn inputs. */
export interface OutputComparison {
  readonly runs: readonly ComparedRun[];
  /** Sizes that the original itself did not run at. */
  readonly notRun: ReadonlyArray<{ readonly batch: number; readonly length: number; readonly reason: string }>;
  /** Inputs whose values reach a mask, all of them varied in the runs. */
  readonly varied: readonly string[];
  /** The largest difference of a run. */
  readonly largest: number;
}

interface Compared {
  readonly sites: ModelSites;
  readonly swapped: ModelProto;
  /** The sites that were replaced. */
  readonly replaced: readonly SwappableSite[];
}

/**
 * Runs both models on the same inputs: several lengths and batches, every input that reaches a mask drawn in different ways, and every
 * branch taken in which a site was replaced. Both draw the same random numbers.
 * @throws WORKER_FAILED where an output is missing, of another shape, or not finite, or where no run takes such a branch
 */
export async function compareOutputs(
  file: OnnxFile,
  { sites, swapped, replaced }: Compared,
  runner: ModelRunner,
  given: DimensionSizes = {},
): Promise<OutputComparison> {
  const runs: ComparedRun[] = [];
  const notRun: Array<OutputComparison['notRun'][number]> = [];
  const varied = new Set<string>();
  const inScopes = sites.scopes.map((scope) => ({ scope, inside: replaced.filter(({ plan }) => plan.body === scope.body) }));
  for (const { scope, inside } of inScopes.filter((each) => each.inside.length > 0)) {
    // Both are opened anew for each scope: what they draw depends on the calls before.
    const compared = await usingModel(openProto(withSeeds(swapped), file, runner), (changed) =>
      usingModel(openOriginal(sites, scope, inside, file, runner), (original) => compareScope(original, changed, { scope, inside, given })),
    );
    runs.push(...compared.runs);
    notRun.push(...compared.notRun);
    for (const name of Object.keys(scope.probe.domains)) varied.add(name);
  }
  return { runs, notRun, varied: [...varied], largest: Math.max(0, ...runs.map(({ relative }) => relative ?? 0)) };
}

/** What the original gave on some inputs. */
interface OriginalRun {
  readonly outputs: Tensors;
  readonly blind: readonly Blind[];
  /** Whether it took the branch in which the sites lie. */
  readonly isTaken: boolean;
}

interface Original {
  readonly inputs: readonly ModelInput[];
  run(feeds: Tensors): Promise<OriginalRun>;
  dispose(): Promise<void>;
}

/** Opens the original, and what shows masks: with a branch, the model as it computes where that is taken. */
async function openOriginal(
  { proto, inlined }: ModelSites,
  scope: ProbedScope,
  inside: readonly SwappableSite[],
  file: OnnxFile,
  runner: ModelRunner,
): Promise<Original> {
  const { body } = scope;
  const biases = new Map<SwappableSite, string>();
  const views = inside.flatMap(({ plan }) => [plan.query.tensor, plan.key.tensor]);
  const names = proto.graph!.output.map(({ name }) => name);
  const condition = body === undefined ? [] : [conditionOf(proto, body)];
  const nodes = inside.flatMap((each) => {
    const { site, plan } = each;
    const graph = new GraphBuilder({ opset: opsetOf(proto), prefix: probePrefix(site.site) });
    const projected = plan.project?.(graph);
    const view = (part: 'query' | 'key') => appendView(graph, { ...plan[part], tensor: projected?.[part] ?? plan[part].tensor });
    if (plan.bias !== undefined) biases.set(each, plan.bias(graph, { query: view('query'), key: view('key') }));
    return graph.fragment();
  });
  const masks = [...inside.flatMap(({ plan }) => plan.mask?.tensor ?? []), ...biases.values()];
  const inScope = { sizes: views, nodes };
  const whole = { tensors: [...names, ...condition], sizes: [] };
  const seeded = withSeeds(proto);
  const base = await watchModel(
    seeded,
    body === undefined ? { ...inScope, tensors: [...masks, ...names] } : whole,
    file,
    runner,
    'latency',
  );
  const opened: Array<{ dispose(): Promise<void> }> = [base];
  const dispose = async () => void (await Promise.all(opened.map((model) => model.dispose())));
  const also = async <Model extends { dispose(): Promise<void> }>(opening: Promise<Model>): Promise<Model> => {
    const model = await opening.catch(async (error: unknown) => {
      await dispose();
      throw error;
    });
    opened.push(model);
    return model;
  };
  const apart = body !== undefined && masks.length > 0;
  const watched = apart ? await also(watchModel(scope.proto, { ...inScope, tensors: masks }, file, runner, 'latency')) : undefined;
  // The file itself calls its functions, and the runtime inlines them by its own rules.
  const written = inlined.length > 0 ? await also(openProto(withSeeds(file.proto), file, runner)) : undefined;
  return {
    inputs: base.inputs,
    run: async (feeds) => {
      const seen = await base.run(feeds);
      const isBranch = body === undefined || isTaken(body, seen.tensor(condition[0]!));
      const bound = written?.bind(feeds);
      await bound?.run();
      return {
        outputs: bound?.outputs() ?? Object.fromEntries(names.map((name) => [name, seen.tensor(name)!])),
        blind: isBranch ? blindQueries(inside, watched === undefined ? seen : await watched.run(feeds), biases) : [],
        isTaken: isBranch,
      };
    },
    dispose,
  };
}

async function compareScope(
  original: Original,
  changed: OpenModel,
  { scope, inside, given }: { scope: ProbedScope; inside: readonly SwappableSite[]; given: DimensionSizes },
): Promise<Pick<OutputComparison, 'runs' | 'notRun'>> {
  const runs: ComparedRun[] = [];
  const notRun: Array<OutputComparison['notRun'][number]> = [];
  // What a user assumes of masks holds for the user's own inputs: these runs count everything.
  const rests = inside.some(({ site }) => site.assumed !== undefined);
  let takesOther = false;
  for (const at of distinctCases(original.inputs, scope.probe, given).filter(({ style }) => !rests || style === 'plain')) {
    const feeds = probeInputs(original.inputs, at, given);
    const ran = await original.run(feeds).catch((error: unknown) => error as Error);
    const change = async () => {
      const bound = changed.bind(feeds);
      await bound.run();
      return bound.outputs();
    };
    if (ran instanceof Error) notRun.push({ batch: at.batch, length: at.length, reason: ran.message });
    else takesOther ||= !ran.isTaken;
    // Both have then drawn equally many random numbers.
    if (ran instanceof Error || !ran.isTaken) await change().catch(() => undefined);
    else runs.push(compareRun(at, { expected: ran.outputs, actual: await change() }, ran.blind));
  }
  if (runs.length === 0 && takesOther)
    throw new AttnswapError(
      'WORKER_FAILED',
      `no run of the model took the ${inside[0]!.site.body}, so nothing shows that its swap is right`,
    );
  if (runs.length > 0 && runs.every(({ relative }) => relative === null)) {
    const where = scope.body === undefined ? 'in every run' : `in every run that takes the ${inside[0]!.site.body}`;
    throw new AttnswapError('WORKER_FAILED', `${where} some queries see no key, and no output can be compared without them`);
  }
  return { runs, notRun };
}

/** Which queries see no key at some site, `[batch, queries]`. */
interface Blind {
  readonly batch: number;
  readonly queries: number;
  readonly rows: Uint8Array;
}

function blindQueries(replaced: readonly SwappableSite[], seen: Seen, biases: ReadonlyMap<SwappableSite, string>): Blind[] {
  return replaced.flatMap((each): Blind[] => {
    const { site, plan } = each;
    const values = seen.tensor(biases.get(each) ?? plan.mask?.tensor ?? '');
    if (values === undefined) return [];
    const [batch, , queries] = viewedSizes(plan.query, seen.dims(plan.query.tensor));
    const [, , keys] = viewedSizes(plan.key, seen.dims(plan.key.tensor));
    if (plan.bias !== undefined) return blindByBias(values, { batch, queries, keys, causal: site.causal === true });
    const keep = keptBy(values, plan.mask!.rule, { batch, keys });
    if (keep === undefined) return [];
    const rows = Uint8Array.from({ length: batch * queries }, (_, at) => {
      const [b, row] = [Math.floor(at / queries), at % queries];
      const visible = keep.subarray(b * keys, b * keys + (site.causal === true ? Math.max(0, row + keys - queries + 1) : keys));
      return visible.includes(1) ? 0 : 1;
    });
    return rows.includes(1) ? [{ batch, queries, rows }] : [];
  });
}

/** Queries that some head lets see nothing. */
function blindByBias(tensor: Tensor, at: { batch: number; queries: number; keys: number; causal: boolean }): Blind[] {
  const { batch, queries, keys, causal } = at;
  const values = numbersOf(tensor);
  const [biasBatch = 1, heads = 1, biasRows = 1, columns = 1] = tensor.dims;
  const rows = new Uint8Array(batch * queries);
  for (let place = 0; place < rows.length; place++) {
    const [b, row] = [Math.floor(place / queries), place % queries];
    const end = causal ? Math.max(0, Math.min(keys, row + keys - queries + 1)) : keys;
    for (let head = 0; head < heads; head++) {
      const from = (((b % biasBatch) * heads + head) * biasRows + (row % biasRows)) * columns;
      if (values.subarray(from, from + Math.min(end, columns)).every((value) => value < maskedBelow)) rows[place] = 1;
    }
  }
  return rows.includes(1) ? [{ batch, queries, rows }] : [];
}

function compareRun(at: ProbeCase, { expected, actual }: Record<'expected' | 'actual', Tensors>, blind: readonly Blind[]): ComparedRun {
  // What a branch gives nothing of, a cache that it leaves alone say, is empty in both.
  const isEmpty = (name: string) => expected[name]!.data.length === 0 && actual[name]?.dims.join() === expected[name]!.dims.join();
  const named = Object.keys(expected).filter((name) => !isEmpty(name));
  const judged = named.filter((name) => blind.every((each) => positionAxis(expected[name]!, each) !== undefined));
  const seeing = (tensors: Tensors) =>
    Object.fromEntries(
      judged.flatMap((name) => (tensors[name] === undefined ? [] : [[name, withoutBlind(tensors[name], expected[name]!, blind)]])),
    );
  const blindQueries = Math.max(0, ...blind.map(({ rows }) => rows.reduce((sum, row) => sum + row, 0)));
  const ran = { batch: at.batch, length: at.length, style: at.style, blindQueries };
  // What pools positions holds what blind queries gave: it is compared in the other runs.
  if (named.length > 0 && judged.length === 0) return { ...ran, relative: null };
  const drift = itemDrift(`batch ${at.batch}, length ${at.length}, ${at.style}`, seeing(expected), seeing(actual));
  if (drift.state === 'fault') throw new AttnswapError('WORKER_FAILED', `the outputs cannot be compared: ${drift.item}: ${drift.reason}`);
  return { ...ran, relative: Math.max(0, ...drift.outputs.map(({ relativeError }) => relativeError ?? 0)) };
}

/** The axis of an output that counts queries: `[batch, queries, …]`, or `[batch, heads, queries, …]`. */
function positionAxis({ dims }: Tensor, { batch, queries }: Blind): number | undefined {
  if (dims[0] !== batch) return undefined;
  return [1, 2].find((axis) => dims[axis] === queries && axis < Math.max(2, dims.length - 1));
}

/** An output with zeros where its query sees no key, and where NaN of such queries has spread to others in the original already. */
function withoutBlind(tensor: Tensor, original: Tensor, blind: readonly Blind[]): Tensor {
  if (blind.length === 0 || tensor.dims.join() !== original.dims.join()) return tensor;
  const { dims } = tensor;
  const expected = numbersOf(original);
  const values = Array.from(numbersOf(tensor), (value, at) => (Number.isFinite(expected[at]) ? value : 0));
  for (const each of blind) {
    const axis = positionAxis(tensor, each)!;
    const inner = dims.slice(axis + 1).reduce((product, size) => product * size, 1);
    const outer = dims.slice(1, axis).reduce((product, size) => product * size, 1);
    for (let index = 0; index < values.length; index++) {
      const position = Math.floor(index / inner) % each.queries;
      const element = Math.floor(index / (inner * each.queries * outer));
      if (each.rows[element * each.queries + position] === 1) values[index] = 0;
    }
  }
  return tensorOf(tensor.type, dims, values);
}
