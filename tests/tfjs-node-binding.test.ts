import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { execa } from 'execa';
import { tensorflow } from '../scripts/tfjs-node/versions.ts';

const folder = fileURLToPath(new URL('../.cache/tfjs-node/node_modules/@tensorflow/tfjs-node', import.meta.url));
const program = fileURLToPath(new URL('fixtures/tfjs-node-values.ts', import.meta.url));
const skip = !existsSync(folder) && 'tfjs-node is not built here: npm run build:tfjs-node';

interface Results {
  readonly [name: string]: unknown;
  readonly softmax: readonly (readonly number[])[];
  readonly threads: number;
}

async function resultsOf(env: Readonly<Record<string, string>> = {}): Promise<{ results: Results; stderr: string }> {
  const { stdout, stderr } = await execa(process.execPath, [program, folder], { env });
  return { results: JSON.parse(stdout) as Results, stderr };
}

test('the built binding loads without a word and computes what is computed by hand', { skip }, async (context) => {
  const { results, stderr } = await resultsOf();
  const { softmax, threads, ...exact } = results;
  context.diagnostic(`TensorFlow ${String(results['library'])}, ${threads} threads in its process`);
  assert.equal(stderr, '');
  for (const [index, weight] of [1 / 8, 2 / 8, 5 / 8].entries()) assert.ok(Math.abs((softmax[0]?.[index] ?? NaN) - weight) < 1e-6);
  assert.deepEqual(exact, {
    backend: 'tensorflow',
    library: tensorflow.version,
    product: [
      [19, 22],
      [43, 50],
    ],
    topkValues: [
      [3, 3, 3],
      [2, 2, 2],
    ],
    topkIndices: [
      [1, 2, 4],
      [0, 2, 3],
    ], // of equal values the first
    rows: [
      [5, 6],
      [1, 2],
      [5, 6],
    ],
    perBatch: [
      [3, 1],
      [5, 5],
    ],
    concat: [
      [1, 2, 5],
      [3, 4, 6],
    ],
    queriesKeysT: [
      [
        [
          [17, 23],
          [39, 53],
        ],
        [
          [1, 3],
          [2, 4],
        ],
      ],
    ],
    queriesTKeys: [
      [
        [
          [26, 30],
          [38, 44],
        ],
        [
          [1, 2],
          [3, 4],
        ],
      ],
    ],
    held: { tensors: 1, bytes: 16, left: 0 },
  });
});

test('TF_NUM_INTRAOP_THREADS, set before it is loaded, is the number of threads that share an operation', { skip }, async () => {
  const one = await resultsOf({ TF_NUM_INTRAOP_THREADS: '1', TF_NUM_INTEROP_THREADS: '1' });
  const three = await resultsOf({ TF_NUM_INTRAOP_THREADS: '3', TF_NUM_INTEROP_THREADS: '1' });
  assert.equal(three.results.threads - one.results.threads, 2);
});
