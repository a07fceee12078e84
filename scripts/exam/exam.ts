import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import type { SitesRecord } from '../../src/operations/sites.ts';
import { attnswap } from '../../tests/run-cli.ts';
import { confirm } from './confirm.ts';
import type { Confirmation } from './confirm.ts';
import { optimum, exporters } from './environment.ts';
import { reachTable } from './table.ts';
import type { Graded } from './table.ts';

// How far the tool reaches: exports toy models of many architectures by real exporters, swaps every attention for `dense.fused` (`dense.tiled`
// where that declines), and compares each file with its original in ONNX Runtime alone. With --wider, other architectures, which are also swapped
// as PyTorch models and compared in transformers alone. With --write, docs/reach.md gets the table. What was graded stays in the folder, so that
// the same command goes on where it was interrupted; --again grades all files anew.
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    folder: { type: 'string', default: '.cache/exam' },
    python: { type: 'string' },
    'optimum-python': { type: 'string' },
    wider: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    again: { type: 'boolean', default: false },
  },
});

/** As `export.py` writes it beside each model. */
type About = Pick<Graded, 'architecture' | 'exporter' | 'post' | 'sites'>;

const models = join(values.folder, values.wider ? 'wider' : 'models');
const script = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const python = values.python ?? (await exporters(values.folder));
await execa(python, ['-B', script(values.wider ? 'wider.py' : 'export.py'), models, ...positionals], { stdio: 'inherit' });
if (!values.wider)
  await execa(values['optimum-python'] ?? (await optimum(values.folder)), ['-B', script('export_optimum.py'), models, ...positionals], {
    stdio: 'inherit',
  });
process.env['ATTNSWAP_PYTHON'] ??= python;
process.env['NODE_COMPILE_CACHE'] ??= resolve(values.folder, 'compiled');
const graded: Graded[] = [];
for (const file of readdirSync(models).filter((name) => name.endsWith('.json') && !name.endsWith('.graded.json'))) {
  const about = JSON.parse(readFileSync(join(models, file), 'utf8')) as About;
  if (positionals.length > 0 && !positionals.includes(about.architecture)) continue;
  const kept = join(models, file.replace(/json$/, 'graded.json'));
  if (values.again || !existsSync(kept))
    writeFileSync(kept, JSON.stringify(await gradeModel(join(models, file.replace(/json$/, suffixOf(about))), about)));
  const grade = JSON.parse(readFileSync(kept, 'utf8')) as Graded;
  graded.push(grade);
  console.log(
    `${file}: ${grade.sites} sites, ${grade.found} found, ${grade.swappable} swappable, ${grade.confirmed} confirmed: ${grade.reason}`,
  );
}
const table = reachTable(graded);
console.log(`\n${table}`);
if (values.write) writeReach(table, values.wider ? ' --wider' : '');
if (graded.some(({ confirmed, swappable }) => confirmed < swappable)) process.exitCode = 1;

/** Every attention is swapped and both files are compared; a file counts as confirmed if all its outputs agree. */
async function gradeModel(model: string, about: About): Promise<Graded> {
  const read = await attnswap(['sites', model, '--json', '--quiet']);
  const nothing = { ...about, found: 0, swappable: 0, confirmed: 0 };
  if (read.exitCode !== 0) return { ...nothing, reason: firstLine(read.stderr) };
  const { sites, unknown } = JSON.parse(read.stdout) as SitesRecord;
  const swappable = sites.filter((site) => site.swappable).length;
  const found = { ...nothing, found: sites.length, swappable };
  const why = sites.find(({ reason }) => reason !== undefined)?.reason ?? (sites.length < about.sites ? unknown[0]?.reason : undefined);
  if (swappable === 0) return { ...found, reason: why ?? 'no attention was found' };
  const out = resolve(models, isFolder(about) ? 'swapped' : 'swapped.onnx');
  try {
    const swapTo = (variant: string) => attnswap(['swap', model, '--variant', variant, '--out', out, '--quiet']);
    const fused = await swapTo('dense.fused');
    // A soft cap, for example, is for the tiled kernel alone.
    const swapped = fused.exitCode === 0 || !fused.stderr.includes('[UNSUPPORTED]') ? fused : await swapTo('dense.tiled');
    if (swapped.exitCode !== 0) return { ...found, reason: firstLine(swapped.stderr) };
    const { ran, largest, notRun } = await (isFolder(about) ? confirmFolder(about.architecture, model, out) : confirm(model, out));
    const reason = `outputs differ by ${largest.toPrecision(2)} in ${ran} runs${notRun === undefined ? '' : `; the original does not run at ${notRun}`}`;
    const holds = ran > 0 && largest <= toleranceOf(about);
    return { ...found, confirmed: holds ? swappable : 0, reason: holds ? (why ?? reason) : reason };
  } finally {
    rmSync(out, { force: true, recursive: true });
  }
}

function isFolder({ exporter }: About): boolean {
  return exporter === 'folder';
}

function suffixOf(about: About): string {
  return isFolder(about) ? 'model' : 'onnx';
}

async function confirmFolder(name: string, model: string, out: string): Promise<Confirmation> {
  const { stdout } = await execa(python, ['-B', script('confirm_folder.py'), name, model, out]);
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Confirmation;
}

/** f16 rounds more coarsely. A quantized model answers to rounding by whole steps: its outputs say little about its attention, which `swap` judges at the sites. */
function toleranceOf({ post }: About): number {
  return { int8: 0.3, qdq: 0.3, fp16: 1e-2 }[post] ?? 1e-5;
}

/** Why a command failed, without the folders of this machine. */
function firstLine(text: string): string {
  const lines = text.trim().split('\n');
  const line = lines.find((each) => each.startsWith('attnswap: ')) ?? text.trim().slice(0, 300);
  const withoutWorker = line.replace(/the worker \S+ -B \S+ failed to/, 'the worker failed to');
  return withoutWorker.replace(/^attnswap: /, '').replaceAll(/[^\s:]*\/(?=site-packages\/|[^\s/]+\.(?:model|onnx)\b)/g, '');
}

function writeReach(text: string, set: string): void {
  const path = fileURLToPath(new URL('../../docs/reach.md', import.meta.url));
  const [start, end] = [`<!-- table: npm run exam --${set} --write -->`, '<!-- end -->'] as const;
  const page = readFileSync(path, 'utf8');
  const [before = '', rest = ''] = page.split(start);
  writeFileSync(path, `${before}${start}\n${text}\n${end}${rest.slice(rest.indexOf(end) + end.length)}`);
}
