import type { NodeProto } from 'onnx-buf';
import type { GraphIndex } from '../graph/graph-index.ts';
import { readsOf, subgraphsOf } from '../graph/graph-index.ts';

/** Operators whose results are as large as their data says. */
const byData = new Set(['NonZero', 'Compress', 'Unique', 'NonMaxSuppression', 'Range', 'ConstantOfShape', 'Loop']);

/** Which inputs say by their values how large the result of other operators is. */
const sizing: Readonly<Record<string, readonly number[]>> = {
  Reshape: [1],
  Expand: [1],
  Tile: [1],
  Slice: [1, 2, 3, 4],
  Pad: [1, 3],
  OneHot: [1],
  TopK: [1],
  Resize: [1, 2, 3],
  Upsample: [1],
  Split: [1],
  CenterCropPad: [1],
  AffineGrid: [1],
  MaxUnpool: [2],
  SplitToSequence: [1],
  SequenceAt: [1],
  If: [0],
};

/** Operators that read the sizes of their first input alone. */
export const sizesOnly: ReadonlySet<string> = new Set(['Shape', 'Size', 'EyeLike']);

/** What decides how large a node's results are: some inputs by their values, the others by their own sizes. */
export function sizeReads(node: NodeProto): { values: string[]; sizes: string[] } {
  const reads = [...readsOf(node)];
  if (byData.has(node.opType)) return { values: reads, sizes: [] };
  const values = (sizing[node.opType] ?? []).flatMap((at) => node.input[at] ?? '').filter((name) => name !== '');
  return { values, sizes: reads.filter((name) => !values.includes(name)) };
}

/** Tensors whose sizes depend on what the model's inputs hold, and not on their sizes alone. */
export function sizedByValue({ graph }: GraphIndex): Set<string> {
  const initializers = new Set(graph.initializer.map(({ name }) => name));
  const valued = new Set(graph.input.map(({ name }) => name).filter((name) => !initializers.has(name)));
  const sized = new Set<string>();
  const visit = (node: NodeProto): void => {
    for (const body of subgraphsOf(node)) {
      if (node.opType !== 'If') for (const { name } of body.input) valued.add(name);
      for (const inner of body.node) visit(inner);
    }
    const results = subgraphsOf(node).flatMap(({ output }) => output.map(({ name }) => name));
    const { values, sizes } = sizeReads(node);
    const isSized = values.some((name) => valued.has(name)) || [...sizes, ...results].some((name) => sized.has(name));
    const [first = ''] = node.input;
    const isValued = sizesOnly.has(node.opType) ? sized.has(first) : [...readsOf(node), ...results].some((name) => valued.has(name));
    for (const name of node.output) {
      if (isSized) sized.add(name);
      if (isValued) valued.add(name);
    }
  };
  for (const node of graph.node) visit(node);
  return sized;
}
