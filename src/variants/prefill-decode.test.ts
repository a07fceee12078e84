import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AttentionInputs, BiasTensor } from '../contract/inputs.ts';
import { conformanceCases } from './cases.ts';
import type { ConformanceCase } from './case-of.ts';
import { createCaseInputs } from './case-inputs.ts';
import { findVariant } from './index.ts';
import { referenceOutput } from './reference.ts';

/** Why a decode step is not a row of the prefill, of variants that are defined for both and differ. */
const blockOfQueries = 'a block of queries chooses its keys together, and a step knows the query alone';
function differs({ variant, parameters }: ConformanceCase): string | undefined {
  const block = parameters['block'];
  return (variant === 'block-topk' || variant === 'gated') && block !== 1 ? blockOfQueries : undefined;
}

/** The call of step `query`: that query alone, and the keys up to its own. */
function stepOf(inputs: AttentionInputs, query: number): AttentionInputs {
  const { shape, mask, bias } = inputs;
  const { batch, heads, kvHeads, headDim } = shape;
  const keys = query + 1;
  const some = <Values extends Float32Array | Uint8Array>(
    values: Values,
    outer: number,
    inner: number,
    [from, to]: readonly [number, number],
  ) => {
    const rows = values.length / (outer * inner);
    const kept = Array.from({ length: outer }, (_, at) =>
      Array.from(values.subarray((at * rows + from) * inner, (at * rows + to) * inner)),
    ).flat();
    return new (values.constructor as new (values: readonly number[]) => Values)(kept);
  };
  return {
    ...inputs,
    shape: { ...shape, queries: 1, keys },
    query: some(inputs.query, batch * heads, headDim, [query, keys]),
    key: some(inputs.key, batch * kvHeads, headDim, [0, keys]),
    value: some(inputs.value, batch * kvHeads, headDim, [0, keys]),
    ...(mask !== undefined && { mask: some(mask, batch, 1, [0, keys]) }),
    ...(bias !== undefined && { bias: biasOf(bias, query) }),
  };
}

function biasOf({ dims: [batch, heads, rows, columns], values }: BiasTensor, query: number): BiasTensor {
  const row = rows === 1 ? 0 : query;
  const keys = columns === 1 ? 1 : query + 1;
  const kept = Array.from({ length: batch * heads }, (_, at) => {
    const start = (at * rows + row) * columns;
    return Array.from(values.subarray(start, start + keys));
  });
  return { dims: [batch, heads, 1, keys], values: Float32Array.from(kept.flat()) };
}

/** The prefill's rows of one query, `[batch, heads, headDim]`. */
function rowsOf(output: Float64Array, { shape: { batch, heads, queries, headDim } }: AttentionInputs, query: number): number[] {
  return Array.from({ length: batch * heads }, (_, at) => {
    const start = (at * queries + query) * headDim;
    return Array.from(output.subarray(start, start + headDim));
  }).flat();
}

// A grid has all of its tokens: what is defined for one length has no step.
const causal = conformanceCases.filter(
  ({ variant, shape }) =>
    findVariant(variant).tokens === undefined && shape.causal && shape.queries === shape.keys && shape.keys >= 7 && shape.keys <= 100,
);

describe('in float64, row i of a prefill is step i of a decode', () => {
  for (const [variant, cases] of Map.groupBy(causal, (given) => given.variant)) {
    test(variant, () => {
      const same = cases.filter((given) => differs(given) === undefined);
      assert.ok(variant === 'block-topk' || same.length >= 10, `${same.length} cases`);
      for (const given of same) {
        const { parameters, shape, name } = given;
        const inputs = createCaseInputs(given);
        const prefill = referenceOutput(inputs, findVariant(variant), parameters);
        for (const query of new Set([0, 1, Math.floor(shape.keys / 3), shape.keys - 2, shape.keys - 1])) {
          const step = referenceOutput(stepOf(inputs, query), findVariant(variant), parameters);
          assert.deepEqual(Array.from(step), rowsOf(prefill, inputs, query), `${name}, step ${query}`);
        }
      }
    });
  }
});

test('variants whose step is another thing are those that choose keys for a block of queries', () => {
  const others = causal.filter((given) => differs(given) !== undefined);
  assert.deepEqual([...new Set(others.map(({ variant }) => variant))].sort(), ['block-topk', 'gated']);
  const changed = others.filter((given) => {
    const inputs = createCaseInputs(given);
    const { keys } = given.shape;
    const prefill = referenceOutput(inputs, findVariant(given.variant), given.parameters);
    const query = Math.floor(keys / 2);
    const step = referenceOutput(stepOf(inputs, query), findVariant(given.variant), given.parameters);
    return Array.from(step).join() !== rowsOf(prefill, inputs, query).join();
  });
  assert.ok(changed.length > 0, 'each could be listed as equal');
});
