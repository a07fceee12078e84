import assert from 'node:assert/strict';
import { cpSync, readFileSync, symlinkSync, writeFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { emptyFolder } from './run-cli.ts';

// A variant and a backend are added to a copy of the sources as CONTRIBUTING.md says, and nothing else is touched.
const root = fileURLToPath(new URL('..', import.meta.url));
const copy = emptyFolder();

const strideVariant = `import type { Variant } from '../../contract/variant.ts';
import { allowedEnd, appendKeys, clearRow, viewHead } from '../head-view.ts';
import { parameterObject, readParameters, wholeNumber, withDefault } from '../parameter-types.ts';
import { sumOverQueries, workOf } from '../work.ts';

const parameters = parameterObject({ step: withDefault(wholeNumber(1), 4) });

/** Every step-th key, from the first on. */
export const stride: Variant = {
  name: 'stride',
  summary: 'every step-th key',
  parameters,
  refuses: () => undefined,
  cost(given, shape) {
    const { step } = readParameters('stride', parameters, given);
    const pairs = shape.batch * shape.heads * sumOverQueries(shape, (query) => Math.ceil(allowedEnd(shape, query) / step));
    return workOf(shape, { scoredPairs: pairs, weightedPairs: pairs });
  },
  rows(inputs, given, at) {
    const { step } = readParameters('stride', parameters, given);
    const view = viewHead(inputs, at);
    return {
      pools: [],
      fill(query, row) {
        clearRow(row);
        for (let key = 0; key < allowedEnd(view.shape, query); key += step) appendKeys(view, query, key, key + 1, row);
      },
    };
  },
};
`;

const toyAdapter = `import type { Adapter } from '../../src/contract/adapter.ts';
import { strideLoops } from './kernels/stride-loops.ts';

/** Plain loops, one kernel. */
export const adapter: Adapter = {
  name: 'toy',
  backends: ['toy-cpu'],
  kernels: [
    {
      variant: 'stride',
      kernel: 'loops',
      summary: 'plain loops',
      scoredPairs: ({ step }, { batch, heads, queries, keys }) => batch * heads * queries * Math.ceil(keys / Number(step)),
    },
  ],
  status: async () => ({ available: true, version: 'toy 1', device: 'CPU', threads: 1, dtypes: ['f32'] }),
  async prepare(request) {
    if (request.outputGradient !== undefined) return { unsupported: 'toy-cpu has no backward pass' };
    let output: Float32Array | undefined;
    return {
      run: async () => void (output = strideLoops(request.inputs, Number(request.parameters['step']))),
      output: async () => output!,
      dispatch: async () => ({ operators: [], flags: [] }),
      peakDeviceBytes: async () => null,
      dispose: async () => undefined,
    };
  },
};
`;

const toyKernel = `import type { AttentionInputs } from '../../../src/contract/inputs.ts';
import { kvHeadOf } from '../../../src/contract/shape.ts';

export function strideLoops({ shape, query, key, value, mask, scale }: AttentionInputs, step: number): Float32Array {
  const { batch, heads, kvHeads, queries, keys, headDim, causal } = shape;
  const output = new Float32Array(query.length);
  for (let row = 0; row < batch * heads * queries; row++) {
    const element = Math.floor(row / (heads * queries));
    const kvHead = kvHeadOf(shape, Math.floor(row / queries) % heads);
    const last = causal ? (row % queries) + keys - queries : keys - 1;
    const seen: Array<{ at: number; logit: number }> = [];
    for (let j = 0; j <= Math.min(last, keys - 1); j += step) {
      if (mask?.[element * keys + j] === 0) continue;
      const at = ((element * kvHeads + kvHead) * keys + j) * headDim;
      let logit = 0;
      for (let m = 0; m < headDim; m++) logit += query[row * headDim + m]! * key[at + m]!;
      seen.push({ at, logit: scale * logit });
    }
    const largest = Math.max(...seen.map(({ logit }) => logit));
    const sum = seen.reduce((total, { logit }) => total + Math.exp(logit - largest), 0);
    for (const { at, logit } of seen)
      for (let m = 0; m < headDim; m++) output[row * headDim + m]! += (Math.exp(logit - largest) / sum) * value[at + m]!;
  }
  return output;
}
`;

/** What CONTRIBUTING.md has one write: new files whole, in others one line before another. */
const newFiles: Record<string, string> = {
  'src/variants/stride/index.ts': strideVariant,
  'adapters/toy/adapter.ts': toyAdapter,
  'adapters/toy/kernels/stride-loops.ts': toyKernel,
};
const newLines: ReadonlyArray<readonly [file: string, before: string, line: string]> = [
  ['src/variants/index.ts', 'import { topk }', "import { stride } from './stride/index.ts';\n"],
  ['src/variants/index.ts', 'linear];', 'stride, '],
  ['src/variants/cases.ts', "  'topk:k=9',", "  'stride:step=3',\n"],
  [
    'adapters/index.ts',
    '  {\n    name: ',
    "  {\n    name: 'toy',\n    backends: ['toy-cpu'],\n    module: ownModule('./toy/adapter', import.meta.url).href,\n    load: async () => (await import('./toy/adapter.ts')).adapter,\n  },\n",
  ],
];

before(() => {
  for (const path of [
    'src',
    'adapters',
    'suites',
    'tests',
    'bench',
    'samples',
    'scripts',
    'tsconfig.json',
    'package.json',
    '.oxlintrc.json',
  ])
    cpSync(join(root, path), join(copy, path), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  for (const [path, text] of Object.entries(newFiles)) {
    mkdirSync(dirname(join(copy, path)), { recursive: true });
    writeFileSync(join(copy, path), text);
  }
  for (const [path, place, line] of newLines) {
    const text = readFileSync(join(copy, path), 'utf8');
    assert.ok(text.includes(place), `${path} has no ${place}`);
    writeFileSync(
      join(copy, path),
      text.replace(place, () => line + place),
    );
  }
});

const node = (args: readonly string[]) =>
  execa(process.execPath, args, { cwd: copy, reject: false, all: true, env: { NODE_TEST_CONTEXT: undefined } });

test('CONTRIBUTING.md names every file that a variant and a backend touch', () => {
  const guide = readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8');
  for (const path of [...Object.keys(newFiles), ...newLines.map(([file]) => file)]) {
    const general = path
      .replace('variants/stride', 'variants/<name>')
      .replace('adapters/toy', 'adapters/<family>')
      .replace(/kernels\/.*/, 'kernels/');
    assert.ok(guide.includes(general), `${general} is not in CONTRIBUTING.md`);
  }
});

test('the copy with both passes types, lint and import rules', async () => {
  const types = await execa('tsc', ['-p', 'tsconfig.json'], { cwd: copy, reject: false, preferLocal: true, localDir: root, all: true });
  assert.equal(types.exitCode, 0, types.all);
  const lint = await execa('oxlint', ['--deny-warnings', 'src/variants', 'adapters'], {
    cwd: copy,
    reject: false,
    preferLocal: true,
    localDir: root,
    all: true,
  });
  assert.equal(lint.exitCode, 0, lint.all);
});

test('the added kernel agrees with the added variant on the conformance cases, and a mistake in it is seen', async () => {
  const conform = ['src/cli/attnswap.js', 'conform', '--backend', 'toy-cpu', '--cases', 'quick', '--quiet'];
  const right = await node(conform);
  assert.equal(right.exitCode, 0, right.all);
  assert.match(right.stdout, /✓ toy-cpu stride\.loops: \d{2,} cases agree with float64/);
  const path = join(copy, 'adapters/toy/kernels/stride-loops.ts');
  writeFileSync(path, toyKernel.replace('j += step', 'j += step + 1'));
  const wrong = await node(conform);
  writeFileSync(path, toyKernel);
  assert.equal(wrong.exitCode, 5);
  assert.match(wrong.stdout, /✗ toy-cpu stride\.loops/);
});

test('a suite measures the added variant on the added backend', async () => {
  const matrix = { variants: ['stride:step=2'], backends: ['toy-cpu'], lengths: [48], heads: 2, headDim: 8 };
  writeFileSync(
    join(copy, 'toy.suite.ts'),
    `export default ${JSON.stringify({ name: 'toy', matrix, sampleSeconds: 0.05, wasteRows: 8 })};\n`,
  );
  const { exitCode, all } = await node(['src/cli/attnswap.js', 'bench', './toy.suite.ts', '--quiet']);
  assert.equal(exitCode, 0, all);
  assert.match(all, /stride\.loops:step=2/);
});
