import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import type { Tensors } from '../../src/contract/tensor.ts';
import { Draw, inputTensor } from '../../tests/drawn/draw.ts';
import { judgeSwap } from '../../tests/drawn/judge.ts';
import { attnswap } from '../../tests/run-cli.ts';
import { exporters } from './environment.ts';
import { reachTable } from './table.ts';
import type { Graded } from './table.ts';

// How far the tool reaches: exports toy models of many architectures by real exporters, swaps every attention for `dense.fused`, and
// compares each file with its original in ONNX Runtime alone. With --write, docs/reach.md gets the table.
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { folder: { type: 'string', default: '.cache/exam' }, python: { type: 'string' }, write: { type: 'boolean', default: false } },
});

/** As `export.py` writes it beside each model. */
interface About {
  readonly architecture: string;
  readonly exporter: string;
  readonly post: string;
  /** Attention sites that the architecture has. */
  readonly sites: number;
  readonly inputs: ReadonlyArray<{
    readonly name: string;
    readonly role: 'ids' | 'mask' | 'pixels';
    readonly dims: ReadonlyArray<number | string>;
  }>;
}

const models = join(values.folder, 'models');
const python = values.python ?? (await exporters(values.folder));
await execa(python, ['-B', fileURLToPath(new URL('export.py', import.meta.url)), models, ...positionals], { stdio: 'inherit' });
process.env['NODE_COMPILE_CACHE'] ??= join(process.cwd(), values.folder, 'compiled');
const graded: Graded[] = [];
for (const file of readdirSync(models).filter((name) => name.endsWith('.json'))) {
  const about = JSON.parse(readFileSync(join(models, file), 'utf8')) as About;
  if (positionals.length > 0 && !positionals.includes(about.architecture)) continue;
  const grade = await gradeModel(join(models, file.replace(/json$/, 'onnx')), about);
  graded.push(grade);
  console.log(`${file}: ${grade.swapped} of ${grade.sites} swapped, ${grade.verdict}: ${grade.reason}`);
}
const failed = graded.filter(({ verdict }) => verdict === 'wrong' || verdict === 'crashed').length;
const table = reachTable(graded);
console.log(`\n${table}`);
if (values.write) writeReach(table);
if (failed > 0) process.exitCode = 1;

async function gradeModel(model: string, about: About): Promise<Graded> {
  const { stdout } = await attnswap(['sites', model, '--json', '--quiet']);
  const { sites = [] } = (stdout === '' ? {} : JSON.parse(stdout)) as { sites?: ReadonlyArray<{ swappable: boolean; reason?: string }> };
  // A quantized model answers to rounding by whole steps: its outputs say little about its attention, which `swap` judges at the sites.
  const { verdict, reason } = await judgeSwap(model, feedsOf(about), about.post === 'int8' ? { tolerance: 0.3 } : {});
  const swapped = verdict === 'right' ? sites.filter(({ swappable }) => swappable).length : 0;
  const why = sites.find(({ swappable }) => !swappable)?.reason;
  return { ...about, verdict, swapped, reason: verdict === 'refused' && why !== undefined ? why : reason };
}

/** Short and long, whole and padded: 200 tokens are beyond the windows of the models that have any. */
function feedsOf({ inputs }: About): Tensors[] {
  const cases = [
    { batch: 1, length: 12, padded: false },
    { batch: 3, length: 33, padded: true },
    { batch: 2, length: 200, padded: true },
  ];
  return cases.map(({ batch, length, padded }, seed) => {
    const sizeOf = (size: number | string) =>
      typeof size === 'number' ? size : size === 'batch' ? batch : size === 'sequence' ? length : Math.ceil(length / 2);
    return Object.fromEntries(
      inputs.map(({ name, role, dims }) => {
        const draw = new Draw(seed, name);
        const kept = (at: number) => !padded || at % length < length - Math.floor(at / length) * 4;
        const value = { ids: () => draw.whole(3, 100), mask: (at: number) => Number(kept(at)), pixels: () => draw.normals(1)[0]! }[role];
        return [name, inputTensor(role === 'pixels' ? 'f32' : 'i64', dims.map(sizeOf), value)];
      }),
    );
  });
}

function writeReach(text: string): void {
  const path = fileURLToPath(new URL('../../docs/reach.md', import.meta.url));
  const [start, end] = ['<!-- table: npm run exam -- --write -->', '<!-- end -->'] as const;
  const page = readFileSync(path, 'utf8');
  const [before = '', rest = ''] = page.split(start);
  writeFileSync(path, `${before}${start}\n${text}\n${end}${rest.split(end)[1] ?? '\n'}`);
}
