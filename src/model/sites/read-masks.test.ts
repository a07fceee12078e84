import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { NodeProtoSchema } from 'onnx-buf';
import { denseSpan } from '../../contract/span.ts';
import type { Tensor } from '../../contract/tensor.ts';
import { tensorOf } from '../../inputs/model-inputs.ts';
import type { Candidate } from './candidate.ts';
import type { PathStep } from './logit-path.ts';
import { isBlind, keptKeys, otherMask, readMasks } from './read-masks.ts';
import type { MaskReading } from './read-masks.ts';

const sizes = { batch: 2, heads: 2, queries: 4, keys: 4 };
const node = (opType: string, input: string[], output: string) => create(NodeProtoSchema, { opType, input, output: [output] });

/** A path of operators from a product `[2, 2, 4, 4]`, each with one tensor beside what it carries. */
function read(steps: ReadonlyArray<readonly [string, Tensor]>, at: Partial<typeof sizes> & { rows?: readonly number[] } = {}): MaskReading {
  const before = steps.map(([opType], step): PathStep => {
    const carried = step === 0 ? 'product' : `step${step - 1}`;
    const inputs = opType === 'Where' ? [`side${step}`, carried, 'low'] : [carried, `side${step}`];
    return { node: node(opType, inputs, `step${step}`), carried: opType === 'Where' ? 1 : 0 };
  });
  const path = { product: node('MatMul', ['q', 'k'], 'product'), factor: 1, keyFactors: [], before, after: [] };
  const tensors: Record<string, Tensor> = { low: tensorOf('float32', [], [-1e9]) };
  for (const [step, [, tensor]] of steps.entries()) tensors[`side${step}`] = tensor;
  const all = { ...sizes, ...at };
  const dims = [all.batch, all.heads, all.rows?.length ?? all.queries, all.keys];
  const candidate = { path } as unknown as Candidate;
  const reading = readMasks(candidate, { tensor: (name) => tensors[name], dims: () => dims }, all, 1e-4);
  assert.ok(typeof reading === 'object');
  return reading;
}

const pairs = (value: (row: number, column: number) => number, dims = [1, 1, 4, 4]): Tensor =>
  tensorOf(
    'float32',
    dims,
    Array.from({ length: dims.reduce((product, size) => product * size, 1) }, (_, at) => value(Math.floor(at / 4) % 4, at % 4)),
  );
const scalar = (value: number): Tensor => tensorOf('float32', [], [value]);
const causal = pairs((row, column) => (column <= row ? 0 : -1e9));

describe('what meets the logits is read without them', () => {
  test('a scale, and causality that is added behind it', () => {
    const reading = read([
      ['Mul', scalar(0.125)],
      ['Add', causal],
    ]);
    assert.equal(reading.scale, 0.125);
    assert.equal(reading.problem, undefined);
    assert.equal(keptKeys(reading, denseSpan(false)), undefined);
    assert.deepEqual([...keptKeys(reading, denseSpan(true))!], [1, 1, 1, 1, 1, 1, 1, 1]);
  });

  test('padding of one batch element, by a condition', () => {
    const keep = tensorOf('bool', [2, 1, 1, 4], [1, 1, 1, 1, 1, 1, 0, 0]);
    const reading = read([['Where', keep]]);
    assert.deepEqual([...keptKeys(reading, denseSpan(false))!], [1, 1, 1, 1, 1, 1, 0, 0]);
  });

  test('a window is neither padding nor causal, in thinned rows too', () => {
    const window = (row: number, column: number) => (Math.abs(row - column) <= 1 ? 0 : -1e9);
    const reading = read([['Add', pairs(window)]]);
    assert.deepEqual([keptKeys(reading, denseSpan(false)), keptKeys(reading, denseSpan(true))], [undefined, undefined]);
    const thinned = tensorOf(
      'float32',
      [1, 1, 2, 4],
      [3, 1].flatMap((row) => [0, 1, 2, 3].map((column) => window(row, column))),
    );
    const rows = read([['Add', thinned]], { rows: [3, 1] });
    assert.deepEqual([keptKeys(rows, denseSpan(false)), keptKeys(rows, denseSpan(true))], [undefined, undefined]);
    const plain = tensorOf(
      'float32',
      [1, 1, 2, 4],
      [3, 1].flatMap((row) => [0, 1, 2, 3].map((column) => (column <= row ? 0 : -1e9))),
    );
    assert.notEqual(keptKeys(read([['Add', plain]], { rows: [3, 1] }), denseSpan(true)), undefined);
  });

  test('a bias, a cap by clipping, a scale for each pair, and masks of single heads are told', () => {
    assert.match(read([['Add', pairs((row) => 0.01 * row)]]).problem ?? '', /position bias/);
    assert.match(read([['Min', scalar(60)]]).problem ?? '', /capped or clipped/);
    assert.match(read([['Mul', pairs((row) => 1 + row)]]).problem ?? '', /differs between heads or pairs/);
    assert.equal(read([['Max', scalar(-3.4e38)]]).problem, undefined);
    const heads = pairs((row) => row, [1, 2, 4, 4]);
    const masked = tensorOf(
      'float32',
      heads.dims,
      Array.from({ length: 32 }, (_, at) => (at < 16 ? 0 : -1e9)),
    );
    assert.match(read([['Add', masked]]).problem ?? '', /heads have different masks/);
    // A bias is linear in the product, whichever heads it is for; a cap is not.
    assert.deepEqual([read([['Add', masked]]).nonlinear, read([['Add', heads]]).nonlinear], [undefined, undefined]);
    assert.match(read([['Min', scalar(60)]]).nonlinear ?? '', /capped or clipped/);
  });

  test('rows that see nothing, and causality from the first key on, have words of their own', () => {
    assert.ok(isBlind(read([['Add', pairs(() => -1e9)]])));
    assert.match(otherMask(read([['Add', pairs((row) => (row === 0 ? -1e9 : 0))]])), /whole queries/);
    const first = tensorOf(
      'float32',
      [1, 1, 2, 4],
      [0, 1].flatMap((row) => [0, 1, 2, 3].map((column) => (column <= row ? 0 : -1e9))),
    );
    assert.match(otherMask(read([['Add', first]], { queries: 2 })), /aligned with the first key/);
  });
});
