import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import type { SitesRecord } from '../../src/operations/sites.ts';
import { attnswap } from '../../tests/run-cli.ts';
import { confirm } from './confirm.ts';
import { optimum, exporters } from './environment.ts';
import { reachTable } from './table.ts';
import type { Graded } from './table.ts';

// How far the tool reaches: exports toy models of many architectures by real exporters, swaps every attention for `dense.fused` (`dense.tiled`
// where that declines), and compares each file with its original in ONNX Runtime alone. With --write, docs/reach.md gets the table. What was
// graded stays in the folder, so that the same command goes on where it was interrupted; --again grades all files anew.
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    folder: { type: 'string', default: '.cache/exam' },
    python: { type: 'string' },
    'optimum-python': { type: 'string' },
    write: { type: 'boolean', default: false },
    again: { type: 'boolean', default: false },
  },
});

/** As `export.py` writes it beside each model. */
type About = Pick<Graded, 'architecture' | 'exporter' | 'post' | 'sites'>;

const models = join(values.folder, 'models');
const script = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const python = values.python ?? (await exporters(values.folder));
await execa(python, ['-B', script('export.py'), models, ...positionals], { stdio: 'inherit' });
await execa(values['optimum-python'] ?? (await optimum(values.folder)), ['-B', script('export_optimum.py'), models, ...positionals], {
  stdio: 'inherit',
});
process.env['NODE_COMPILE_CACHE'] ??= resolve(values.folder, 'compiled');
const graded: Graded[] = [];
for (const file of readdirSync(models).filter((name) => name.endsWith('.json') && !name.endsWith('.graded.json'))) {
  const about = JSON.parse(readFileSync(join(models, file), 'utf8')) as About;
  if (positionals.length > 0 && !positionals.includes(about.architecture)) continue;
  const kept = join(models, file.replace(/json$/, 'graded.json'));
  if (values.again || !existsSync(kept))
    writeFileSync(kept, JSON.stringify(await gradeModel(join(models, file.replace(/json$/, 'onnx')), about)));
  const grade = JSON.parse(readFileSync(kept, 'utf8')) as Graded;
  graded.push(grade);
  console.log(
    `${file}: ${grade.sites} sites, ${grade.found} found, ${grade.swappable} swappable, ${grade.confirmed} confirmed: ${grade.reason}`,
  );
}
const table = reachTable(graded);
console.log(`\n${table}`);
if (values.write) writeReach(table);
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
  const out = join(models, 'swapped.onnx');
  try {
    const swapTo = (variant: string) => attnswap(['swap', model, '--variant', variant, '--out', out, '--quiet']);
    const fused = await swapTo('dense.fused');
    // A soft cap, for example, is for the tiled kernel alone.
    const swapped = fused.exitCode === 0 || !fused.stderr.includes('[UNSUPPORTED]') ? fused : await swapTo('dense.tiled');
    if (swapped.exitCode !== 0) return { ...found, reason: firstLine(swapped.stderr) };
    const { ran, largest, notRun } = await confirm(model, out);
    const reason = `outputs differ by ${largest.toPrecision(2)} in ${ran} runs${notRun === undefined ? '' : `; the original does not run at ${notRun}`}`;
    const holds = ran > 0 && largest <= toleranceOf(about);
    return { ...found, confirmed: holds ? swappable : 0, reason: holds ? (why ?? reason) : reason };
  } finally {
    rmSync(out, { force: true });
  }
}

/** f16 rounds more coarsely. A quantized model answers to rounding by whole steps: its outputs say little about its attention, which `swap` judges at the sites. */
function toleranceOf({ post }: About): number {
  return { int8: 0.3, qdq: 0.3, fp16: 1e-2 }[post] ?? 1e-5;
}

function firstLine(text: string): string {
  return (
    text
      .trim()
      .split('\n')
      .find((line) => line.startsWith('attnswap:')) ?? text.trim().slice(0, 300)
  );
}

function writeReach(text: string): void {
  const path = fileURLToPath(new URL('../../docs/reach.md', import.meta.url));
  const [start, end] = ['<!-- table: npm run exam -- --write -->', '<!-- end -->'] as const;
  const page = readFileSync(path, 'utf8');
  const [before = '', rest = ''] = page.split(start);
  writeFileSync(path, `${before}${start}\n${text}\n${end}${rest.slice(rest.indexOf(end) + end.length)}`);
}
