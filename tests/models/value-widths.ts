import { size } from './architecture.ts';
import { dynamo, torchScript } from './exporters.ts';
import { GraphWriter } from './graph-writer.ts';
import type { Value } from './graph-writer.ts';
import { linear } from './layers.ts';
import { affine } from './weights.ts';

/** One attention whose values are not as wide as its keys, or which multiplies values in columns: v·wᵀ. */
export interface Widths {
  readonly keys: number;
  readonly values: number;
  /**
   * `columns`: `[batch, heads, dim, n]`, as YOLO's attention has them; `one head`: `[batch, dim, n]`, as in a non-local block; `fused`: ONNX
   * Runtime's product, which transposes weights itself; `packed`: com.microsoft's Attention, which projects; else the operator of that name.
   */
  readonly form: 'rows' | 'columns' | 'one head' | 'fused' | 'MultiHeadAttention' | 'packed' | 'Attention';
  /** Of MultiHeadAttention: whether it shifts queries, keys and values itself. */
  readonly bias?: true;
  /** Of Attention. */
  readonly softcap?: number;
}

export const headsOf = ({ form }: Widths): number => (form === 'one head' ? 1 : size.heads);

/** `x`, f32 `[batch, sequence, hidden]` → `y`. */
export function buildWidths(widths: Widths): Uint8Array {
  const { keys, values, form, bias, softcap } = widths;
  const heads = headsOf(widths);
  const g = new GraphWriter(form === 'Attention' ? dynamo(23) : torchScript(14));
  const x = g.input('x', 'f32', ['batch', 'sequence', size.hidden]);
  const project = (name: string, width: number) => linear(g, x, affine(0, name, size.hidden, heads * width));
  const [query, key, value] = [project('query', keys), project('key', keys), project('value', values)];
  const packed = ['batch', 'sequence', heads * values] as const;
  switch (form) {
    case 'MultiHeadAttention':
      g.output('y', g.op(form, [query, key, value, ...(bias ? [shift(g, heads, widths)] : [])], { num_heads: heads }), 'f32', packed);
      break;
    case 'packed': {
      const sizes = [keys, keys, values].map((width) => heads * width);
      const { name, weight, inputs, outputs } = affine(0, 'packed', size.hidden, heads * (2 * keys + values));
      const read = [x, g.weight(`${name}.weight`, [inputs, outputs], weight), shift(g, heads, widths)];
      g.output('y', g.microsoft('Attention', read, { num_heads: heads, qkv_hidden_sizes: sizes }), 'f32', packed);
      break;
    }
    case 'Attention': {
      const capped = softcap === undefined ? {} : { softcap: { float: softcap } };
      g.output('y', g.op(form, [query, key, value], { q_num_heads: heads, kv_num_heads: heads, ...capped }), 'f32', packed);
      break;
    }
    case 'rows': {
      const split = (part: Value, width: number, perm: readonly number[]) =>
        g.op('Transpose', [g.op('Reshape', [part, g.int([0, 0, heads, width])])], { perm });
      const logits = scaled(g, g.op('MatMul', [split(query, keys, [0, 2, 1, 3]), split(key, keys, [0, 2, 3, 1])]), keys);
      const attended = g.op('MatMul', [g.op('Softmax', [logits], { axis: -1 }), split(value, values, [0, 2, 1, 3])]);
      g.output('y', attended, 'f32', ['batch', heads, 'sequence', values]);
      break;
    }
    default: {
      const isSplit = form !== 'one head';
      const turn = (part: Value) => g.op('Transpose', [part], { perm: isSplit ? [0, 1, 3, 2] : [0, 2, 1] });
      const columns = (part: Value, width: number) => {
        const channels = g.op('Transpose', [part], { perm: [0, 2, 1] });
        return isSplit ? g.op('Reshape', [channels, g.int([0, heads, width, -1])]) : channels;
      };
      const weights = g.op('Softmax', [scaled(g, g.op('MatMul', [turn(columns(query, keys)), columns(key, keys)]), keys)], { axis: -1 });
      const attended =
        form === 'fused'
          ? g.microsoft('FusedMatMul', [columns(value, values), weights], { transB: 1 })
          : g.op('MatMul', [columns(value, values), turn(weights)]);
      g.output('y', attended, 'f32', isSplit ? ['batch', heads, values, 'sequence'] : ['batch', values, 'sequence']);
    }
  }
  return g.bytes();
}

/** A bias of queries, keys and values, one after the other. */
function shift(g: GraphWriter, heads: number, { keys, values }: Widths): Value {
  const { name, outputs, bias } = affine(0, 'shift', size.hidden, heads * (2 * keys + values));
  return g.weight(`${name}.bias`, [outputs], bias);
}

function scaled(g: GraphWriter, product: Value, keys: number): Value {
  return g.op('Mul', [product, g.float(1 / Math.sqrt(keys))]);
}
