import type { LayerAttention } from '../../../src/contract/training.ts';
import type { AttentionInputs } from '../../../src/contract/inputs.ts';
import type { Pool } from '../../../src/contract/variant.ts';
import { createRow, weighedRows } from '../../../src/variants/reference.ts';
import { findVariant } from '../../../src/variants/index.ts';
import { maskedScore } from '../selection.ts';

/** What each query may weigh where nothing depends on scores: keys, then the pooled blocks of any head. */
export interface Visible {
  /** Keys and pools together. */
  readonly entries: number;
  /** `[heads, queries, entries]`, added to logits: ln(tokens) of a pool, 0 of a key, {@link maskedScore} of what is not seen. */
  readonly bias: Float32Array;
  /** `[entries, keys]`, by which keys and values become entries; undefined where there are keys alone. */
  readonly pooling: Float32Array | undefined;
}

/** Read off the float64 rows of inputs that are all 0: their logits are what a kernel adds to the scores. */
export function visibleEntries(
  given: LayerAttention,
  { heads, queries, keys, causal }: { heads: number; queries: number; keys: number; causal: boolean },
): Visible {
  const shape = { batch: 1, heads, kvHeads: heads, queries, keys, headDim: 1, causal, dtype: 'f32' } as const;
  const zeros = new Float32Array(heads * keys);
  const inputs: AttentionInputs = { shape, scale: 1, query: new Float32Array(heads * queries), key: zeros, value: zeros };
  const rows = Array.from({ length: heads }, (_, head) =>
    weighedRows(findVariant(given.variant), inputs, given.parameters, { batch: 0, head }),
  );
  const pools = distinctPools(
    rows.flatMap((head) => head.pools),
    keys,
  );
  const entries = keys + pools.size;
  const bias = new Float32Array(heads * queries * entries).fill(maskedScore);
  for (const [head, { pools: own, fill }] of rows.entries()) {
    const row = createRow(entries);
    for (let query = 0; query < queries; query++) {
      fill(query, row);
      const from = (head * queries + query) * entries;
      for (let e = 0; e < row.length; e++) {
        const key = row.key[e]!;
        bias[from + (key < keys ? key : pools.get(nameOf(own[key - keys]!))!.entry)] = row.logit[e]!;
      }
    }
  }
  return { entries, bias, pooling: pools.size === 0 ? undefined : poolingOf(keys, pools) };
}

/** A pool, and its place after the keys. */
type Entries = ReadonlyMap<string, { readonly pool: Pool; readonly entry: number }>;

function distinctPools(all: readonly Pool[], length: number): Entries {
  const found = new Map<string, { pool: Pool; entry: number }>();
  for (const pool of all) if (!found.has(nameOf(pool))) found.set(nameOf(pool), { pool, entry: length + found.size });
  return found;
}

/** Heads share a pool of the same keys. */
function nameOf({ start, end }: Pool): string {
  return `${start}-${end}`;
}

function poolingOf(length: number, pools: Entries): Float32Array {
  const matrix = new Float32Array((length + pools.size) * length);
  for (let key = 0; key < length; key++) matrix[key * length + key] = 1;
  for (const { pool, entry } of pools.values())
    matrix.fill(1 / (pool.end - pool.start), entry * length + pool.start, entry * length + pool.end);
  return matrix;
}
