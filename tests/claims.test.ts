import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { readClaims } from '../src/contract/claims.ts';
import type { ClaimsRecord, JudgedClaim } from '../src/contract/claims.ts';
import { dimensionsOfEach } from '../src/operations/claims-dimensions.ts';
import * as decoder from './models/gqa-decoder.ts';
import * as model from './models/torchscript-bert.ts';
import { attnswap, emptyFolder } from './run-cli.ts';

const cwd = emptyFolder();
const data = `
export const items = async ({ lengths, itemsPerLength, seed }) =>
  lengths.flatMap((length) => Array.from({ length: itemsPerLength }, (_, index) => ({
    id: length + '-' + index,
    length,
    feeds: {
      input_ids: { type: 'int64', dims: [1, length], data: BigInt64Array.from({ length }, (_, at) => BigInt((7 * at + 13 * (seed + index)) % 90)) },
      attention_mask: { type: 'int64', dims: [1, length], data: new BigInt64Array(length).fill(1n) },
    },
  })));
export const evaluate = async (_, items) => items.map(() => 1);
`;
const candidates = ['--candidate', 'dense.fused', '--candidate', 'window:w=8'];
const onModel = ['claims', 'model.onnx', '--data', 'my.data.mjs', '--lengths', '16', '--items', '5', ...candidates];

before(() => {
  writeFileSync(join(cwd, 'model.onnx'), model.build({ seed: 1 }));
  writeFileSync(join(cwd, 'my.data.mjs'), data);
});

const read = (file: string): ClaimsRecord => readClaims(JSON.parse(readFileSync(join(cwd, file), 'utf8')), file);
const measured = ({ claims }: ClaimsRecord) => claims.filter(({ verdict }) => verdict !== 'not-measured').map(({ id }) => id);
const definition = ({ definitions }: JudgedClaim, name: string) => definitions.find((each) => each.name === name)!;

test('only what a claim needs is measured: no kernels for a score', async () => {
  const { exitCode, stdout, stderr } = await attnswap([...onModel, '--only', 'translation-quality'], { cwd });
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /attnswap claims tune-translate --only translation-quality/);
  assert.ok(existsSync(join(cwd, 'runs/model.claims/model/migration/record.json')));
  assert.ok(!existsSync(join(cwd, 'runs/model.claims/model/kernels')));
});

test('what is said of the original alone takes the first phase, and the rest is measured in the same folder later', async () => {
  const only = await attnswap([...onModel, '--only', 'ineffective-weight', '--dir', 'waste'], { cwd });
  assert.equal(only.exitCode, 0, only.stderr);
  assert.match(only.stdout, /^ineffective-weight +> 60 % +[\d.]+ % /m);
  const stepsOf = () =>
    Object.keys((JSON.parse(readFileSync(join(cwd, 'waste/model/migration/journal.json'), 'utf8')) as { steps: object }).steps);
  assert.ok(!stepsOf().some((step) => step.startsWith('candidate/')));
  const more = await attnswap([...onModel, '--only', 'translation-quality', '--dir', 'waste'], { cwd });
  assert.equal(more.exitCode, 0, more.stderr);
  assert.ok(stepsOf().some((step) => step.startsWith('candidate/')));
});

test('a model is measured by migrate and bench, every claim is judged, and a rerun measures nothing again', async () => {
  const first = await attnswap(onModel, { cwd });
  assert.equal(first.exitCode, 0, first.stderr);
  const record = read('runs/model.claims/record.json');
  assert.equal(record.claims.length, 13);
  assert.deepEqual(
    record.sources.map(({ kind }) => kind),
    ['migration', 'run'],
  );
  for (const id of ['ineffective-weight', 'hierarchical-speed', 'throughput', 'efficiency']) assert.ok(measured(record).includes(id), id);
  const [weight] = record.claims;
  const own = definition(weight!, 'wastedCompute[.95]').figures;
  // The model's own inputs: of the migration's rows, and of those that the kernels ran on.
  assert.deepEqual(
    own.map(({ source }) => source),
    [0, 1],
  );
  assert.match(own[1]!.of, /captured:runs\/model\.claims\/model\/kernels\/site0-item0\.safetensors/);
  assert.match(first.stdout, /^ineffective-weight +> 60 % /m);
  // What is missing is named with the command that measures it, in a folder of its own.
  assert.match(
    first.stdout,
    /attnswap claims model\.onnx --data my\.data\.mjs --items 5 --lengths 1024 --only ineffective-compute --dir runs\/ineffective-compute\.claims/,
  );
  // Equal scores of five items do not show that the window keeps the quality: it would count for nothing, so it is not timed.
  const { candidates: judged } = JSON.parse(readFileSync(join(cwd, 'runs/model.claims/model/migration/record.json'), 'utf8')) as {
    candidates: ReadonlyArray<{ name: string; latency: unknown }>;
  };
  assert.deepEqual(
    judged.map(({ name, latency }) => [name, latency === null]),
    [
      ['dense.fused', false],
      ['window.tiled:w=8', true],
    ],
  );
  assert.match(record.notes!.join(), /^window\.tiled:w=8: mean difference 0 over 5 items.*it was not timed$/);
  const kept = ['migration/journal.json', 'kernels/kernels.run.json'].map((file) => join(cwd, 'runs/model.claims/model', file));
  const cells = () =>
    kept
      .map((file) => JSON.parse(readFileSync(file, 'utf8')) as { steps?: unknown; cells?: unknown })
      .map(({ steps, cells: own }) => steps ?? own);
  const before_ = cells();
  const again = await attnswap([...onModel, '--only', 'efficiency', '--out', 'claims.html', '--out', 'claims.csv'], { cwd });
  assert.equal(again.exitCode, 0, again.stderr);
  assert.deepEqual(cells(), before_);
  assert.equal(read('runs/model.claims/record.json').claims.length, 1);
  assert.match(readFileSync(join(cwd, 'claims.html'), 'utf8'), /<h1/);
  assert.match(readFileSync(join(cwd, 'claims.csv'), 'utf8'), /^claim,claimed,unit,.*\nefficiency,3–5×,factor,least,3,/);
  const page = await attnswap(['report', 'runs/model.claims'], { cwd });
  assert.equal(page.exitCode, 0, page.stderr);
  assert.match(readFileSync(join(cwd, 'reports/model.claims.html'), 'utf8'), /window\.tiled:w=8: mean difference 0 over 5 items/);
});

test('records are read as they are, several at once', async () => {
  const { exitCode, stdout, stderr } = await attnswap(
    [
      'claims',
      'runs/model.claims/model/migration',
      'runs/model.claims/model/kernels/kernels.run.json',
      '--only',
      'one-cycle',
      '--only',
      'fewer-steps',
      '--json',
      '--dir',
      'again',
    ],
    { cwd },
  );
  assert.equal(exitCode, 0, stderr);
  const record = readClaims(JSON.parse(stdout), 'stdout');
  assert.deepEqual(measured(record), ['one-cycle']);
  assert.deepEqual(record.claims.find(({ id }) => id === 'fewer-steps')!.command, ['claims', 'tune-mlm', '--only', 'fewer-steps']);
  assert.ok(!existsSync(join(cwd, 'again/migration')) && existsSync(join(cwd, 'again/record.json')));
});

test('sizes of dimensions are checked over all models before any is measured, and each model takes its own', async () => {
  const folder = emptyFolder();
  writeFileSync(join(folder, 'bert.onnx'), model.build());
  writeFileSync(join(folder, 'decoder.onnx'), decoder.build());
  const command = ['claims', 'bert.onnx', 'decoder.onnx', '--data', 'my.data.mjs', '--dim', 'batch=1', '--dim', 'widht=3'];
  const { exitCode, stderr } = await attnswap(command, { cwd: folder });
  assert.equal(exitCode, 5);
  assert.match(stderr, /--dim widht: no input of bert\.onnx and decoder\.onnx has this dynamic dimension, expected batch, sequence, /);
  assert.ok(!existsSync(join(folder, 'runs')));
  const models = ['bert.onnx', 'decoder.onnx'].map((name) => join(folder, name));
  const own = await dimensionsOfEach(models, { dimensions: { batch: 1, past: 4 } });
  assert.deepEqual([...own.values()], [{ batch: 1 }, { batch: 1, past: 4 }]);
  assert.deepEqual([...(await dimensionsOfEach(models, { dimensions: { past: 4 } })).keys()], models.slice(1));
});

const refusals: ReadonlyArray<[what: string, args: readonly string[], says: RegExp]> = [
  ['an unknown claim', ['claims', 'model.onnx', '--only', 'memry'], /unknown claim "memry"[^]*did you mean memory\?/],
  ['a model without data', ['claims', 'model.onnx'], /claims model\.onnx: --data is missing/],
  ['data without a model', ['claims', 'lengths', '--data', 'my.data.mjs'], /--data applies only to models, and none is named/],
  ['a backend without a model', ['claims', 'lengths', '--backend', 'onnx-cuda'], /--backend applies only to models, and none is named/],
  ['candidates without a model', ['claims', 'lengths', '--candidate', 'window'], /--candidate applies only to models, and none is named/],
  ['a record of something else', ['claims', 'my.json'], /schema is "attnswap\.verdict\/1", expected a run record/],
  ['a record that is not there', ['claims', 'none.json'], /none\.json/],
  [
    'a folder that is not there',
    ['claims', 'runs/none.migration'],
    /runs\/none\.migration: there is no such file, folder or built-in suite/,
  ],
  ['a mistyped testbed', ['claims', 'tune-visoin'], /no such file[^]*did you mean tune-vision\?/],
];
for (const [what, args, says] of refusals) {
  test(`refused before anything is measured: ${what}`, async () => {
    const folder = emptyFolder();
    writeFileSync(join(folder, 'model.onnx'), '');
    writeFileSync(join(folder, 'my.json'), '{"schema":"attnswap.verdict/1"}');
    const { exitCode, stdout, stderr } = await attnswap(args, { cwd: folder });
    assert.deepEqual([exitCode, stdout], [5, '']);
    assert.match(stderr, says);
  });
}
