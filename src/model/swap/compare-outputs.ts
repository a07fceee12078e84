import type { ModelProto } from 'onnx-buf';
import { AttnswapError } from '../../contract/errors.ts';
import type { Tensor, Tensors } from '../../contract/tensor.ts';
import type { DimensionSizes } from '../../inputs/model-inputs.ts';
import { tensorOf } from '../../inputs/model-inputs.ts';
import { itemDrift } from '../../quality/drift.ts';
import { GraphBuilder } from '../graph/graph-builder.ts';
import { keptBy, numbersOf } from '../sites/mask-sources.ts';
import type { OnnxFile } from '../file/onnx-file.ts';
import { openProto } from '../file/open-proto.ts';
import type { ModelRunner } from '../file/open-proto.ts';
import { opsetOf, probePrefix } from '../sites/probe-candidates.ts';
import { distinctCases } from '../sites/probe-cases.ts';
import { probeInputs } from '../sites/probe-inputs.ts';
import type { ProbeCase } from '../sites/probe-inputs.ts';
import type { SwappableSite } from '../sites/site.ts';
import { viewedSizes } from '../sites/views.ts';
import { watchModel } from '../sites/watch.ts';
import type { Seen } from '../sites/watch.ts';

/** One run of both models. */
export interface ComparedRun {
  readonly batch: number;
  readonly length: number;
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
  readonly original: ModelProto;
  readonly swapped: ModelProto;
  /** The sites that were replaced. */
  readonly replaced: readonly SwappableSite[];
}

/**
 * Runs both models on the same inputs: several lengths and batches, and every input that reaches a mask drawn in different ways.
 * @throws WORKER_FAILED where an output is missing, of another shape, or not finite
 */
export async function compareOutputs(
  file: OnnxFile,
  { original, swapped, replaced }: Compared,
  runner: ModelRunner,
  { first, given = {} }: { readonly first: ProbeCase; readonly given?: DimensionSizes | undefined },
): Promise<OutputComparison> {
  const masks = replaced.flatMap(({ plan }) => plan.mask?.tensor ?? []);
  const views = replaced.flatMap(({ plan }) => [plan.query.tensor, plan.key.tensor]);
  const outputs = original.graph!.output.map(({ name }) => name);
  const nodes = replaced.flatMap(({ site, plan }) => {
    const graph = new GraphBuilder({ opset: opsetOf(original), prefix: probePrefix(site.site) });
    plan.project?.(graph);
    return graph.fragment();
  });
  const base = await watchModel(original, { tensors: [...masks, ...outputs], sizes: views, nodes }, file, runner, 'latency');
  const changed = await openProto(swapped, file, runner).catch(async (error: unknown) => {
    await base.dispose();
    throw error;
  });
  try {
    const runs: ComparedRun[] = [];
    const notRun: Array<OutputComparison['notRun'][number]> = [];
    // What a user assumes of masks holds for the user's own inputs: these runs count everything.
    const rests = replaced.some(({ site }) => site.assumed !== undefined);
    for (const at of distinctCases(base.inputs, first, given).filter(({ style }) => !rests || style === 'plain')) {
      const feeds = probeInputs(base.inputs, at, given);
      const seen = await base.run(feeds).catch((error: unknown) => error as Error);
      if (seen instanceof Error) {
        notRun.push({ batch: at.batch, length: at.length, reason: seen.message });
        continue;
      }
      const bound = changed.bind(feeds);
      await bound.run();
      const expected = Object.fromEntries(outputs.map((name) => [name, seen.tensor(name)!]));
      runs.push(compareRun(at, { expected, actual: bound.outputs() }, blindQueries(replaced, seen)));
    }
    return { runs, notRun, varied: Object.keys(first.domains), largest: Math.max(0, ...runs.map(({ relative }) => relative ?? 0)) };
  } finally {
    await Promise.all([base.dispose(), changed.dispose()]);
  }
}

/** Which queries see no key at some site, `[batch, queries]`. */
interface Blind {
  readonly batch: number;
  readonly queries: number;
  readonly rows: Uint8Array;
}

function blindQueries(replaced: readonly SwappableSite[], seen: Seen): Blind[] {
  return replaced.flatMap(({ site, plan }): Blind[] => {
    const values = plan.mask === undefined ? undefined : seen.tensor(plan.mask.tensor);
    if (values === undefined) return [];
    const [batch, , queries] = viewedSizes(plan.query, seen.dims(plan.query.tensor));
    const [, , keys] = viewedSizes(plan.key, seen.dims(plan.key.tensor));
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

function compareRun(at: ProbeCase, { expected, actual }: Record<'expected' | 'actual', Tensors>, blind: readonly Blind[]): ComparedRun {
  const judged = Object.keys(expected).filter((name) => blind.every((each) => positionAxis(expected[name]!, each) !== undefined));
  const seeing = (tensors: Tensors) =>
    Object.fromEntries(
      judged.flatMap((name) => (tensors[name] === undefined ? [] : [[name, withoutBlind(tensors[name], expected[name]!, blind)]])),
    );
  const drift = itemDrift(`batch ${at.batch}, length ${at.length}, ${at.style}`, seeing(expected), seeing(actual));
  if (drift.state === 'fault') throw new AttnswapError('WORKER_FAILED', `the outputs cannot be compared: ${drift.item}: ${drift.reason}`);
  const relative = judged.length === 0 ? null : Math.max(0, ...drift.outputs.map(({ relativeError }) => relativeError ?? 0));
  const blindQueries = Math.max(0, ...blind.map(({ rows }) => rows.reduce((sum, row) => sum + row, 0)));
  return { batch: at.batch, length: at.length, style: at.style, relative, blindQueries };
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
