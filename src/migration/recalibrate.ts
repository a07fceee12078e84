import type { ModelProto } from 'onnx-buf';
import type { Item } from '../contract/data.ts';
import { GraphIndex } from '../model/graph/graph-index.ts';
import { numbersOf } from '../model/sites/mask-sources.ts';
import { floatsOf, followingNorm } from '../model/graph/norms.ts';
import type { LayerNorm } from '../model/graph/norms.ts';
import { openProto, usingModel } from '../model/file/open-proto.ts';
import { withOutputs } from '../model/graph/with-outputs.ts';
import { seesAll } from './exactness.ts';
import { candidateProto } from './graph.ts';
import type { Graph } from './graph.ts';
import type { ModelCandidate, NormValues } from './subject.ts';

/** How far a channel's spread may be corrected: beyond it something else is wrong. */
const ratioLimits = { least: 0.5, most: 2 };

/**
 * Calibrates the first layer norm after each approximated site, in the graph's order: scale and shift are set so that each channel
 * has the mean and the standard deviation that it has in the original, on the given items.
 */
export async function recalibrateNorms(graph: Graph, candidate: ModelCandidate, items: readonly Item[]): Promise<NormValues> {
  const { sites } = graph;
  const index = new GraphIndex(sites.proto.graph!);
  const approximated = [...candidate.replacements].filter(([site, replacement]) => !seesAll(sites.sites[site]!, replacement));
  const found = approximated
    .toSorted(([a], [b]) => a - b)
    .map(([site]) => followingNorm(index, sites.swappable.get(site)!.plan.output.tensor));
  const norms = [...new Map(found.flatMap((norm) => (norm === undefined ? [] : [[norm.output, norm] as const]))).values()];
  let values: NormValues = {};
  for (const norm of norms) {
    const wanted = await momentsOf(graph, sites.proto, norm, items);
    const proto = candidateProto(graph, { ...candidate, norms: values });
    const got = await momentsOf(graph, proto, norm, items);
    values = { ...values, ...corrected(new GraphIndex(proto.graph!), norm, wanted, got) };
  }
  return values;
}

/** Of each channel. */
interface Moments {
  readonly mean: Float64Array;
  readonly deviation: Float64Array;
}

function corrected(index: GraphIndex, norm: LayerNorm, wanted: Moments, got: Moments): NormValues {
  const [scale, shift] = [norm.scale, norm.shift].map((name) => floatsOf(index.constant(name)!)!);
  const ratio = (channel: number) => {
    const plain = got.deviation[channel]! === 0 ? 1 : wanted.deviation[channel]! / got.deviation[channel]!;
    return Math.min(ratioLimits.most, Math.max(ratioLimits.least, plain));
  };
  return {
    [norm.scale]: Array.from(scale!, (factor, channel) => factor * ratio(channel)),
    [norm.shift]: Array.from(shift!, (term, channel) => (term - got.mean[channel]!) * ratio(channel) + wanted.mean[channel]!),
  };
}

async function momentsOf({ file, runner }: Graph, proto: ModelProto, norm: LayerNorm, items: readonly Item[]): Promise<Moments> {
  const sum = new Float64Array(norm.channels);
  const squares = new Float64Array(norm.channels);
  let count = 0;
  await usingModel(openProto(withOutputs(proto, [norm.output]), file, runner), async (model) => {
    for (const { feeds } of items) {
      const bound = model.bind(feeds);
      await bound.run();
      const values = numbersOf(bound.outputs()[norm.output]!);
      count += values.length / norm.channels;
      values.forEach((value, at) => {
        sum[at % norm.channels]! += value;
        squares[at % norm.channels]! += value * value;
      });
    }
  });
  const mean = sum.map((total) => total / count);
  return { mean, deviation: squares.map((total, channel) => Math.sqrt(Math.max(0, total / count - mean[channel]! ** 2))) };
}
