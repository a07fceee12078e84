import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { AttnswapError } from '../src/contract/errors.ts';
import { ab } from '../src/operations/ab.ts';
import { audit } from '../src/operations/audit.ts';
import { capture } from '../src/operations/capture.ts';
import type { CaptureOptions } from '../src/operations/capture.ts';
import { migrate } from '../src/operations/migrate.ts';
import { sites } from '../src/operations/sites.ts';
import { swap } from '../src/operations/swap.ts';
import type { SwapOptions } from '../src/operations/swap.ts';
import { edgeModels } from './models/edge-cases.ts';
import { models } from './models/index.ts';
import type { TestModelName } from './models/index.ts';
import { attnswap, emptyFolder } from './run-cli.ts';

const cwd = emptyFolder();
const used: readonly TestModelName[] = ['torchscript-bert', 'dynamo', 'qdq', 'f16', 'no-attention'];
/** Items of the models of tests, as a user's module gives them. */
const items = `export const items = async ({ lengths, itemsPerLength }) => lengths.flatMap((length) =>
  Array.from({ length: itemsPerLength }, (_, at) => ({ id: length + '-' + at, length, feeds: {
    input_ids: { type: 'int64', dims: [1, length], data: BigInt64Array.from({ length }, (_, i) => BigInt((7 * i + at) % 100)) },
    attention_mask: { type: 'int64', dims: [1, length], data: new BigInt64Array(length).fill(1n) },
  } })));\n`;

before(() => {
  for (const name of used) writeFileSync(join(cwd, `${name}.onnx`), models[name].build());
  writeFileSync(join(cwd, 'rounded.onnx'), edgeModels['quantizers that change the scale']!.build());
  writeFileSync(join(cwd, 'loop.onnx'), edgeModels['attention in a Loop']!.build());
  writeFileSync(join(cwd, 'empty.onnx'), '');
  writeFileSync(join(cwd, 'text.onnx'), 'not a model');
  writeFileSync(join(cwd, 'cut.onnx'), models['torchscript-bert'].build().subarray(0, 3000));
  writeFileSync(join(cwd, 'items.ts'), items);
});

const run = (...args: string[]) => attnswap(args, { cwd });

/** The documents' parts that tests look at. */
interface Told {
  readonly sites: ReadonlyArray<{ swappable: boolean; selfAttention: boolean }>;
  readonly unknown: readonly unknown[];
  readonly sha256: string;
  readonly changes: ReadonlyArray<{ site: number; variant: string }>;
  readonly atSites: ReadonlyArray<{ relative: number; budget: number }>;
  readonly proof: { readonly nodesRemoved: readonly string[] };
  readonly files: readonly string[];
  readonly rows: { readonly of: number };
}

async function json(...args: string[]): Promise<Told> {
  const { exitCode, stdout, stderr } = await run(...args, '--json');
  assert.equal(exitCode, 0, stderr);
  return JSON.parse(stdout) as Told;
}

describe('sites', () => {
  test('prints a table and a document that say the same', async () => {
    const { stdout, exitCode } = await run('sites', 'torchscript-bert.onnx');
    assert.equal(exitCode, 0);
    const [head = '', ...rows] = stdout.trim().split('\n');
    assert.match(head, /^site +heads +dim +scale +mask +causal +type +dynamic +swap +node$/);
    assert.equal(rows.length, 2);
    assert.match(rows[0]!, /^0 +4 +8 +0\.354 +padding +no +f32 +batch, queries, keys +yes /);
    const { sites, unknown, sha256 } = await json('sites', 'torchscript-bert.onnx');
    const [site] = sites;
    assert.deepEqual([site!.swappable, site!.selfAttention, unknown], [true, true, []]);
    assert.match(sha256, /^[0-9a-f]{64}$/);
  });

  test('of a folder prints a line per model and a total, and fails where a model does', async () => {
    const folder = join(cwd, 'several');
    mkdirSync(join(folder, 'more'), { recursive: true });
    for (const [from, to] of [
      ['no-attention', 'a'],
      ['rounded', 'more/b'],
      ['text', 'c'],
    ] as const)
      copyFileSync(join(cwd, `${from}.onnx`), join(folder, `${to}.onnx`));
    const { stdout, exitCode } = await run('sites', 'several', '--out', 'several.json');
    assert.equal(exitCode, 5);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => line.split(/ {2,}/));
    assert.deepEqual(
      lines.map(([name, ...counts]) => [name, ...counts.slice(0, 2)]),
      [
        ['model', 'sites', 'swap'],
        [join('several', 'a.onnx'), '0', '0'],
        [join('several', 'c.onnx'), '-', '-'],
        [join('several', 'more', 'b.onnx'), '2', '0'],
        ['3 models: 2 sites, 0 can be swapped; 1 could not be read'],
      ],
    );
    assert.match(lines[2]![3]!, /^INVALID_MODEL: .*c\.onnx/);
    assert.match(lines[3]![3]!, /cannot be removed/);
    const records = JSON.parse(readFileSync(join(cwd, 'several.json'), 'utf8')) as Array<{ code?: string; sites?: unknown[] }>;
    assert.deepEqual(
      records.map(({ code, sites }) => code ?? sites?.length),
      [0, 'INVALID_MODEL', 2],
    );
  });

  test('says why a site cannot be swapped, what is no site, and where there is none', async () => {
    assert.match(
      (await run('sites', 'rounded.onnx')).stdout,
      /site 0 cannot be swapped: its logits pass a quantizer that cannot be removed: QuantizeLinear/,
    );
    assert.match((await run('sites', 'loop.onnx')).stdout, /site 0 cannot be swapped: it is inside the body of Loop repeat/);
    assert.match((await run('sites', 'no-attention.onnx')).stdout, /no attention found among \d+ nodes/);
  });
});

describe('swap', () => {
  test('writes a model and tells the proof', async () => {
    const { exitCode, stdout } = await run('swap', 'torchscript-bert.onnx', '--variant', 'dense.fused', '--out', 'fused.onnx');
    assert.equal(exitCode, 0);
    assert.match(stdout, /site 1: .*Softmax_178 → dense\.fused\n/);
    assert.match(stdout, /unchanged: \d+ nodes and \d+ initializers, byte for byte \(sha256 [0-9a-f]{12}\)/);
    assert.match(stdout, /written: fused\.onnx/);
    assert.equal((await run('sites', 'fused.onnx')).exitCode, 0);
  });

  test('as a document, with a variant for each site', async () => {
    const mixed = ['--variant', '0=dense.tiled', '--variant', '1=window:w=3', '--out', 'mixed.onnx'];
    const { changes, atSites, proof } = await json('swap', 'torchscript-bert.onnx', ...mixed);
    assert.deepEqual(
      changes.map(({ site, variant }) => [site, variant.split(':')[0]]),
      [
        [0, 'dense.tiled'],
        [1, 'window.tiled'],
      ],
    );
    for (const { relative, budget } of atSites) assert.ok(relative < budget);
    assert.equal(proof.nodesRemoved.filter((node) => node.includes('Softmax')).length, 2);
  });

  // Queries that see no key, quantisers and half precision each make outputs differ where nothing is wrong.
  for (const name of ['dynamo', 'qdq', 'f16'] as const)
    test(`takes exact kernels for ${name}`, async () => {
      const { exitCode, stderr } = await run('swap', `${name}.onnx`, '--variant', 'dense.tiled', '--out', `${name}-tiled.onnx`);
      assert.equal(exitCode, 0, stderr);
    });
});

test('capture → waste: what was captured is measured', async () => {
  const asked = ['capture', 'torchscript-bert.onnx', '--data', 'items.ts', '--lengths', '9,20', '--items', '2', '--out', 'captured'];
  const { files } = await json(...asked);
  assert.equal(files.length, 8);
  assert.deepEqual(readdirSync(join(cwd, 'captured')).length, 8);
  const text = await run('capture', 'torchscript-bert.onnx', '--data', 'items.ts', '--lengths', '9', '--site', '1', '--out', 'one');
  assert.deepEqual([text.exitCode, text.stdout.trim()], [0, 'one/site1-item0.safetensors']);
  assert.match(text.stderr, /^next: attnswap waste --inputs one\/site1-item0\.safetensors$/m);
  const report = await json('waste', '--inputs', files[0]!, '--rows', 'all');
  assert.equal(report.rows.of, 4 * 9);
});

test('a place that cannot be written is found before anything runs', async () => {
  for (const args of [
    ['swap', 'torchscript-bert.onnx', '--variant', 'dense.fused', '--out', 'items.ts/fused.onnx'],
    ['capture', 'torchscript-bert.onnx', '--data', 'items.ts', '--out', 'items.ts'],
    ['migrate', 'torchscript-bert.onnx', '--data', 'items.ts', '--dir', 'items.ts'],
    ['bench', 'smoke', '--csv', '.'],
  ]) {
    const { exitCode, stdout, stderr } = await run(...args);
    assert.deepEqual([exitCode, stdout], [5, '']);
    assert.match(stderr, /^attnswap: (items\.ts|\.).*: cannot be written: .*\[FILE_UNWRITABLE\]/);
  }
});

test('a temporary folder that is missing is said', async () => {
  const { exitCode, stderr } = await attnswap(['sites', 'torchscript-bert.onnx'], { cwd, env: { TMPDIR: join(cwd, 'nowhere') } });
  assert.equal(exitCode, 5);
  assert.match(stderr, /the temporary folder .*nowhere cannot be used: .*\[FILE_UNWRITABLE\]\n  hint: .*TMPDIR=/);
});

test('a usage error points to the help of its own command', async () => {
  for (const [command, ...args] of [
    ['swap', 'torchscript-bert.onnx'],
    ['capture'],
    ['migrate', 'torchscript-bert.onnx', '--margin', '0.05'],
  ]) {
    const { exitCode, stderr } = await run(command!, ...args);
    assert.equal(exitCode, 5);
    assert.match(stderr, new RegExp(`\\(attnswap ${command} --help`));
  }
});

/** The folder to write to is made before anything runs, and nothing is in it. */
const isUnwritten = (folder: string) => !existsSync(join(cwd, folder)) || readdirSync(join(cwd, folder)).length === 0;

describe('errors exit 5 with a message and a hint, and write nothing', () => {
  const captureArgs = (...args: string[]) => ['capture', 'torchscript-bert.onnx', '--data', 'items.ts', '--out', 'never', ...args];
  const byCommand: Readonly<Record<string, { args: readonly string[]; says: RegExp }>> = {
    'an empty file': {
      args: ['swap', 'empty.onnx', '--variant', 'dense.fused', '--out', 'never.onnx'],
      says: /the file is empty.*\[INVALID_MODEL\]\n {2}hint: .*download or export it again/,
    },
    'a site that is not there': {
      args: ['swap', 'torchscript-bert.onnx', '--variant', 'dense.fused', '--out', 'never.onnx', '--site', '7'],
      says: /there is no site 7: the model has 2.*\n {2}hint: /,
    },
    'a capture into a file': {
      args: captureArgs('--out', 'items.ts', '--lengths', '9'),
      says: /items\.ts is a file \[FILE_UNWRITABLE\]\n {2}hint: /,
    },
  };
  const original = () => readFileSync(join(cwd, 'torchscript-bert.onnx'));
  const assertNothingWritten = (before: Buffer) => {
    assert.ok(isUnwritten('never') && !existsSync(join(cwd, 'never.onnx')));
    assert.ok(original().equals(before));
  };
  for (const [name, { args, says }] of Object.entries(byCommand)) {
    test(`by the command: ${name}`, async () => {
      const before = original();
      const { exitCode, stdout, stderr } = await run(...args);
      assert.deepEqual([exitCode, stdout], [5, '']);
      assert.match(stderr, says);
      assert.ok(!stderr.includes('    at '), 'no stack');
      assertNothingWritten(before);
    });
  }

  const swapOf = (name: string, more: Partial<SwapOptions> = {}) =>
    swap({ model: `${name}.onnx`, variants: ['dense.fused'], out: 'never.onnx', ...more });
  const misspelt = { batch: 2, sequense: 8 };
  const captureOf = (more: Partial<CaptureOptions>) =>
    capture({ model: 'torchscript-bert.onnx', data: ['items.ts'], out: 'never', ...more });
  const cases: Readonly<Record<string, { run: () => Promise<unknown>; says: RegExp; hint?: RegExp }>> = {
    'a file that is no model': { run: () => swapOf('text'), says: /text\.onnx: .*\[INVALID_MODEL\]/ },
    'a truncated file': {
      run: () => swapOf('cut'),
      says: /258122 bytes.*\[INVALID_MODEL\]|bytes, \d+ are left \[INVALID_MODEL\]/,
      hint: /truncated/,
    },
    'no such file': { run: () => swapOf('nowhere'), says: /nowhere\.onnx.*\[FILE_UNREADABLE\]/ },
    'a site that cannot be swapped': {
      run: () => swapOf('rounded', { sites: '0' }),
      says: /site 0 .*cannot be swapped: .*cannot be removed/,
    },
    'no site that can be swapped': {
      run: () => swapOf('rounded'),
      says: /no site can be swapped \[UNSUPPORTED\]/,
      hint: /attnswap sites rounded/,
    },
    'no attention': { run: () => swapOf('no-attention'), says: /no site can be swapped/ },
    'a list of sites that is none': {
      run: () => swapOf('torchscript-bert', { sites: '0-' }),
      says: /sites "0-": expected numbers and ranges/,
    },
    'an unknown variant': { run: () => swapOf('torchscript-bert', { variants: ['dens'] }), says: /unknown variant "dens"/ },
    'a parameter out of range': {
      run: () => swapOf('torchscript-bert', { variants: ['window:w=0'] }),
      says: /w is 0, expected a whole number ≥ 1/,
    },
    'a dimension that no model runs with': {
      run: () => sites({ model: 'torchscript-bert.onnx', dimensions: { sequence: 5000 } }),
      says: /failed on every set of random inputs.*\[INVALID_INPUTS\]/,
      hint: /--dim/,
    },
    ...Object.fromEntries(
      Object.entries({
        sites: () => sites({ model: 'torchscript-bert.onnx', dimensions: misspelt }),
        swap: () => swapOf('torchscript-bert', { dimensions: misspelt }),
        capture: () => captureOf({ dimensions: misspelt }),
        migrate: () => migrate({ model: 'torchscript-bert.onnx', data: ['items.ts'], dir: 'never', dimensions: misspelt }),
        audit: () => audit({ kernel: 'torchscript-bert.onnx', dimensions: misspelt }),
      }).map(([command, operate]) => [
        `a dimension that no input has: ${command}`,
        {
          run: operate,
          says: /--dim sequense: no input of torchscript-bert\.onnx has this dynamic dimension, expected batch, sequence \[USAGE\]/,
          hint: /did you mean --dim sequence=8\?/,
        },
      ]),
    ),
    'a dimension that neither of two models has': {
      run: () => ab({ base: 'torchscript-bert.onnx', new: 'dynamo.onnx', dimensions: { batch: 1, sequence: 8, width: 3 } }),
      says: /--dim width: no input of torchscript-bert\.onnx and dynamo\.onnx has this dynamic dimension, expected batch, .*\[USAGE\]/,
    },
    'a model that is not there, with a dimension': {
      run: () => ab({ base: 'torchscript-bert.onnx', new: 'typo.onnx', dimensions: { width: 3 } }),
      says: /typo\.onnx: no such file.*\[FILE_UNREADABLE\]/,
      hint: /check the path/,
    },
    'the model itself as the new model': {
      run: () => swapOf('torchscript-bert', { out: './torchscript-bert.onnx' }),
      says: /would overwrite the original.*\[USAGE\]/,
    },
    'an unknown backend': { run: () => swapOf('torchscript-bert', { backend: 'abacus' }), says: /unknown backend "abacus"/ },
    'a capture of a site that is not there': { run: () => captureOf({ sites: '9' }), says: /site 9 cannot be captured/ },
    'a capture of more tokens than the model takes': {
      run: () => captureOf({ lengths: [2000] }),
      says: /does not run on item 2000-0: .*\[INVALID_DATA\]/,
      hint: /--lengths/,
    },
  };
  for (const [name, { run: operate, says, hint = /./ }] of Object.entries(cases)) {
    test(name, async () => {
      process.chdir(cwd);
      const before = original();
      await assert.rejects(operate, (error) => {
        assert.ok(error instanceof AttnswapError, String(error));
        assert.match(`${error.message} [${error.code}]`.replaceAll(/\s+/g, ' '), says);
        assert.match(error.hint ?? '', hint);
        return true;
      });
      assertNothingWritten(before);
    });
  }

  for (const args of [
    ['sites', 'torchscript-bert.onnx', '--dim', 'batch=0'],
    ['sites', 'torchscript-bert.onnx', '--dim', 'batch'],
    captureArgs('--lengths', '0'),
    captureArgs('--lengths', 'many'),
    ['swap', 'torchscript-bert.onnx', '--variant', 'dense.fused'],
    ['capture', 'torchscript-bert.onnx', '--data', 'items.ts'],
  ])
    test(`bad or missing options: ${args.slice(2).join(' ')}`, async () => {
      const { exitCode, stderr } = await run(...args);
      assert.equal(exitCode, 5);
      assert.match(stderr, /error: .*(is invalid\. expected|not specified)/);
      assert.ok(isUnwritten('never'));
    });
});
