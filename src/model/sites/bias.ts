import type { Tensor } from '../../contract/tensor.ts';
import { declaredBias, PathBias } from './append-bias.ts';
import type { AppendBias, Dtype, Layout } from './append-bias.ts';
import type { Candidate } from './candidate.ts';
import { carriedSizes } from './carried-sizes.ts';
import { factorAt } from './factors.ts';
import type { LogitPath } from './logit-path.ts';
import { reshapes } from './logit-path.ts';
import { numbersOf } from './mask-sources.ts';
import { maskedBelow } from './read-masks.ts';
import type { PairSizes } from './read-masks.ts';
import type { Reach } from './value-reach.ts';
import type { Seen } from './watch.ts';

/** One run of a model, and how large a site was in it. */
export interface BiasRun {
  readonly seen: Seen;
  readonly sizes: PairSizes;
}

/**
 * What a site adds to its products, to be appended to a graph; a string says why it is not a bias, undefined that nothing is added.
 * @param runs in which it was seen
 */
export function biasOf(candidate: Candidate, reach: Reach, runs: readonly BiasRun[], dtype: Dtype): AppendBias | string | undefined {
  const { path, declared } = candidate;
  if (reach.nonlinear !== undefined) return reach.nonlinear;
  if (path === undefined) return declaredBias(declared!, runs[0]!.seen, dtype);
  const fault = runs.map(({ seen }) => settledFault(path, seen)).find((each) => each !== undefined);
  if (fault !== undefined) return fault;
  const layouts = new Map<string, Layout>();
  for (const { seen, sizes } of runs) {
    for (const [name, dims] of carriedSizes(path, seen)) {
      const layout = layoutOf(dims, sizes);
      if ((layouts.get(name) ?? layout) !== layout) layouts.set(name, 'other');
      else layouts.set(name, layout);
    }
  }
  if (layouts.get(path.product.output[0]!) === 'other') return 'its logits are neither [batch, heads, n, n] nor [batch·heads, n, n]';
  const kinds = path.before.map(({ node }) => node.opType);
  if (!kinds.some((kind) => ['Add', 'Sub', 'Where'].includes(kind))) return undefined;
  const last = kinds.findLastIndex((kind) => !reshapes.has(kind) && !['Identity', 'Dropout', 'Cast'].includes(kind));
  const plan = {
    steps: path.before.slice(0, last + 1),
    product: path.product,
    bySizes: reach.bySizes,
    layouts,
    heads: runs[0]!.sizes.heads,
    dtype,
  };
  return (graph, at) => new PathBias(graph, plan, at).append();
}

function layoutOf(dims: readonly number[], { batch, heads, queries, keys }: PairSizes): Layout {
  const lie = (...sizes: number[]) => sizes.length === dims.length && sizes.every((size, axis) => size === dims[axis]);
  return lie(batch, heads, queries, keys) ? 'heads' : lie(batch * heads, queries, keys) ? 'merged' : 'other';
}

/** What replaces logits must mask them, what bounds them must lie beyond any of them, and a factor must be one number. */
function settledFault(path: LogitPath, seen: Seen): string | undefined {
  if (factorAt(path, (name) => seen.tensor(name)) === undefined) return 'its scale differs between heads or pairs';
  for (const { node, carried } of path.before) {
    const values = (at: number) => ((node.input[at] ?? '') === '' || at === carried ? undefined : seen.tensor(node.input[at]!));
    const low = (tensor: Tensor | undefined) => tensor === undefined || numbersOf(tensor).every((value) => value <= maskedBelow);
    const name = node.output[0];
    if (node.opType === 'Where' && ![1, 2].every((at) => low(values(at)))) return `Where ${name} puts numbers in the place of logits`;
    if (node.opType === 'Max' && !node.input.every((_, at) => low(values(at)))) return `Max ${name} bounds its logits`;
    if (node.opType !== 'Clip') continue;
    const most = values(2);
    const bounds = most !== undefined && !numbersOf(most).every((value) => value >= -maskedBelow * 60);
    if (bounds || !low(values(1)) || node.attribute.length > 0) return `Clip ${name} bounds its logits`;
  }
  return undefined;
}
