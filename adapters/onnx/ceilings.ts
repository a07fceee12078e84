import type { CeilingProbe } from '../../src/contract/adapter.ts';
import type { Tensors } from '../../src/contract/tensor.ts';
import { GraphBuilder } from '../../src/model/graph/graph-builder.ts';
import { openModel } from './open-model.ts';

/** Side of the square matrices: 12 MB in all, so that arithmetic is the limit. */
const side = 1024;
/** Rows and columns of what is read once: 400 MB, beyond the caches. */
const [rows, columns] = [24_576, 4096] as const;

/** Calls that get as many operations and as many bytes a second out of a backend as its own operators can. */
export async function ceilings(request: { readonly backend: string; readonly threads?: number }): Promise<CeilingProbe[]> {
  const product = new GraphBuilder();
  const square = ['n', 'n'];
  const a = product.input('a', 'f32', square);
  const b = product.input('b', 'f32', square);
  const multiply = product.model([{ name: 'c', value: product.op('MatMul', [a, b]), type: 'f32' }]);
  const reading = new GraphBuilder();
  const x = reading.input('x', 'f32', ['rows', 'columns']);
  const maximum = reading.model([{ name: 'm', value: reading.maximum(x, [1]), type: 'f32' }]);
  const matrix = (data: Float32Array, dims: number[]) => ({ type: 'float32' as const, dims, data });
  const filled = () => matrix(new Float32Array(side * side).fill(0.5), [side, side]);
  return [
    await probe(
      request,
      multiply,
      { a: filled(), b: filled() },
      { kind: 'flops', amount: 2 * side ** 3, what: `MatMul of ${side} × ${side}, f32` },
    ),
    await probe(
      request,
      maximum,
      // Pages that were never written are all the system's one page of zeros, which stays in the cache.
      { x: matrix(new Float32Array(rows * columns).fill(0.5), [rows, columns]) },
      { kind: 'bytes', amount: 4 * rows * columns, what: `ReduceMax over ${rows} × ${columns}, f32` },
    ),
  ].filter((found) => found !== undefined);
}

async function probe(
  request: { readonly backend: string; readonly threads?: number },
  model: Uint8Array,
  feeds: Tensors,
  does: Pick<CeilingProbe, 'kind' | 'amount' | 'what'>,
): Promise<CeilingProbe | undefined> {
  const session = await openModel({ ...request, model });
  if ('unsupported' in session) return undefined;
  const bound = session.bind(feeds);
  return { ...does, run: () => bound.run(), dispose: () => session.dispose() };
}
