import type { GraphBuilder, Value } from '../../../src/model/graph/graph-builder.ts';
import type { LinearSettings } from '../../../src/variants/linear/parameters.ts';
import type { KernelConfig } from '../kernel.ts';
import { toFloat } from '../tiles.ts';
import { toChunks } from './chunks.ts';
import type { Chunks } from './chunks.ts';

/** Pairs of positions in a chunk that is cut into parts of `part` positions: `size` rows and columns of each part, from the given ones on. */
export interface Block {
  readonly part: number;
  readonly size: number;
  readonly row: number;
  readonly column: number;
  /** `earlier`: columns before the row alone; `upTo`: its own too; `all`: later ones as well. */
  readonly seen: 'earlier' | 'upTo' | 'all';
}

/**
 * What lies between two positions of a chunk decays by γ to the number of unpadded keys between them: always ratios, which cannot overflow,
 * never quotients of what has decayed from the start. Factors that f32 could hold as denormal numbers alone are 0, or as good as 0.
 */
export interface Decays {
  /** `[chunks, batch, kvHeads, parts, size, size]`, or what broadcasts to it: 0 where the column is not seen. */
  between(graph: GraphBuilder, block: Block): Value;
  /** From the chunk's start to each position, its own decay too: `[chunks, batch, kvHeads, 1, size, 1]`, or what broadcasts to it. */
  readonly before: Value | undefined;
  /** From after each position to the chunk's end. */
  readonly after: Value | undefined;
  /** Of the whole chunk, `[chunks, batch, kvHeads, 1, 1, 1]`; undefined, as the others, where nothing decays. */
  readonly whole: Value | undefined;
  /** Whether these are tensors with an axis of chunks, which a scan cuts, not constants. */
  readonly varies: boolean;
}

/** Below this, powers are taken as 0. */
const leastFactor = 2 ** -120;

export function decaysOf(
  graph: GraphBuilder,
  settings: LinearSettings,
  { chunks, mask, config }: { chunks: Chunks; mask: Value | undefined; config: KernelConfig },
): Decays {
  const each = Array.from({ length: config.kvHeads }, (_, head) => settings.decayOf(head));
  const gammas = new Set(each).size === 1 ? each.slice(0, 1) : each;
  if (mask === undefined || gammas.every((gamma) => gamma === 1)) return constantDecays(graph, gammas, chunks.size);
  return countedDecays(graph, gammas, { chunks, mask });
}

function constantDecays(graph: GraphBuilder, gammas: readonly number[], size: number): Decays {
  const constant = (rows: number, columns: number, exponent: (row: number, column: number) => number) => {
    const cells = gammas.flatMap((gamma) =>
      Array.from({ length: rows * columns }, (_, cell) => power(gamma, exponent(Math.floor(cell / columns), cell % columns))),
    );
    return graph.op('Reshape', [graph.float(cells), graph.int([gammas.length, 1, rows, columns])]);
  };
  const none = gammas.every((gamma) => gamma === 1);
  return {
    between: (_graph, block) =>
      constant(block.size, block.size, (row, column) =>
        isSeen(block, row, column) ? Math.abs(block.row + row - block.column - column) : Infinity,
      ),
    before: none ? undefined : constant(size, 1, (row) => row + 1),
    after: none ? undefined : constant(size, 1, (row) => size - 1 - row),
    whole: none ? undefined : constant(1, 1, () => size),
    varies: false,
  };
}

function power(gamma: number, exponent: number): number {
  if (exponent === Infinity) return 0;
  const factor = gamma ** exponent;
  return factor < leastFactor ? 0 : factor;
}

function countedDecays(graph: GraphBuilder, gammas: readonly number[], { chunks, mask }: { chunks: Chunks; mask: Value }): Decays {
  const logs = graph.op('Reshape', [graph.float(gammas.map((gamma) => Math.log(gamma))), graph.int([gammas.length, 1, 1, 1])]);
  const decayed = (inner: GraphBuilder, keys: Value) =>
    inner.op('Exp', [inner.op('Max', [inner.op('Mul', [keys, logs]), inner.float(Math.log(leastFactor))])]);
  const kept = toChunks(graph, graph.op('Unsqueeze', [toFloat(graph, mask), graph.int([1, 3])]), chunks, { heads: 1, group: 1, width: 1 });
  const counts = graph.op('CumSum', [kept, graph.int(4)]);
  const all = graph.op('Slice', [counts, graph.int([chunks.size - 1]), graph.int([chunks.size]), graph.int([4])]);
  return {
    between(inner, block) {
      const parts = inner.op('Reshape', [counts, inner.int([0, 0, 0, chunks.size / block.part, block.part, 1])]);
      const cut = (from: number) => inner.op('Slice', [parts, inner.int([from]), inner.int([from + block.size]), inner.int([4])]);
      const columns = inner.op('Transpose', [cut(block.column)], { perm: [0, 1, 2, 3, 5, 4] });
      const seen = Array.from({ length: block.size ** 2 }, (_, cell) =>
        isSeen(block, Math.floor(cell / block.size), cell % block.size) ? 1 : 0,
      );
      const pattern = inner.op('Reshape', [inner.float(seen), inner.int([block.size, block.size])]);
      return inner.op('Mul', [decayed(inner, inner.op('Abs', [inner.op('Sub', [cut(block.row), columns])])), pattern]);
    },
    before: decayed(graph, counts),
    after: decayed(graph, graph.op('Sub', [all, counts])),
    whole: decayed(graph, all),
    varies: true,
  };
}

function isSeen({ seen, row: firstRow, column: firstColumn }: Block, row: number, column: number): boolean {
  const ahead = firstRow + row - firstColumn - column;
  return seen === 'all' || ahead > 0 || (seen === 'upTo' && ahead === 0);
}
