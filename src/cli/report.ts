import { basename, dirname, extname, join } from 'node:path';
import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { AttnswapError } from '../contract/errors.ts';
import { writeWhole } from '../measure/run-store.ts';
import type { Chart, Report } from '../report/document.ts';
import { drawSvg } from '../report/draw.ts';
import { reportPage } from '../report/html/page.ts';
import { chartPng } from '../report/picture.ts';
import { readReport } from '../report/read-report.ts';
import { reportMarkdown } from '../report/report-markdown.ts';
import { command, finish } from './command.ts';
import { exitCodes, print, printJson, progress, remark } from './console.ts';
import type { CommonFlags, ExitCode } from './console.ts';

/** What a report can be written as. */
const reportFormats = ['html', 'md', 'csv', 'json', 'svg', 'png'] as const;
type ReportFormat = (typeof reportFormats)[number];

interface ReportFlags extends CommonFlags {
  readonly out?: string;
  readonly format: readonly ReportFormat[];
  readonly open?: boolean;
}

/** Writes a run, a verdict, a migration or a tuning as files that others can read, and prints their names. */
async function report(path: string, flags: ReportFlags): Promise<ExitCode> {
  const { report: found, csv } = await readReport(path);
  if (flags.json === true) {
    printJson(found);
    return exitCodes.pass;
  }
  const stem = stemOf(path, flags.out);
  const files = await writeReport(found, { stem, csv, ...flags });
  remark(`${found.verdict}. ${found.answer}`, flags);
  for (const file of files) print(file);
  if (flags.open === true) await open(files[0]!);
  return exitCodes.pass;
}

interface WriteOptions extends ReportFlags {
  /** The files' path without its extension. */
  readonly stem: string;
  csv(): string;
}

/** One file a format, one a chart for pictures. @throws FILE_UNWRITABLE */
async function writeReport(found: Report, { stem, csv, format, ...flags }: WriteOptions): Promise<string[]> {
  const written: string[] = [];
  const write = async (path: string, content: string | Uint8Array) => {
    await writeWhole(path, content);
    written.push(path);
  };
  for (const wanted of new Set(format)) {
    if (wanted === 'html') await write(`${stem}.html`, await page(found, flags));
    if (wanted === 'md') await write(`${stem}.md`, reportMarkdown(found));
    if (wanted === 'csv') await write(`${stem}.csv`, csv());
    if (wanted === 'json') await write(`${stem}.report.json`, `${JSON.stringify(found, null, 1)}\n`);
    if (wanted !== 'svg' && wanted !== 'png') continue;
    for (const chart of chartsOf(found)) {
      const picture = wanted === 'svg' ? await drawSvg(chart.spec, chart.id) : await chartPng(chart);
      await write(join(`${stem}.charts`, `${chart.id}.${wanted}`), picture);
    }
  }
  return written;
}

async function page(found: Report, flags: CommonFlags): Promise<string> {
  // Progress is for those who wait: a small report is drawn before a bar is seen.
  const bar = progress(found.sections.length, process.stderr.isTTY ? flags : { ...flags, quiet: true });
  try {
    return await reportPage(found, (done, section) => bar.update(done, section));
  } finally {
    bar.stop();
  }
}

function chartsOf({ sections }: Report): Chart[] {
  return sections.flatMap(({ parts }) => parts.filter((part) => part.kind === 'chart'));
}

function stemOf(path: string, out: string | undefined): string {
  if (out !== undefined) return join(dirname(out), basename(out, extname(out)));
  const name = basename(path).replace(/\.(run|verdict|report)?\.?json$/, '');
  return join('reports', name === '' || name === '.' ? 'report' : name);
}

/** In the reader's own browser, or whatever opens such files. */
async function open(file: string): Promise<void> {
  const { default: openFile } = await import('open');
  await openFile(file).catch((error: unknown) => {
    throw new AttnswapError('UNSUPPORTED', `${file} was written, and could not be opened: ${(error as Error).message}`, { cause: error });
  });
}

function formats(text: string): ReportFormat[] {
  return text.split(',').map((name) => {
    const found = reportFormats.find((format) => format === name.trim());
    if (found === undefined) throw new InvalidArgumentError(`expected some of ${reportFormats.join(', ')}, with commas between`);
    return found;
  });
}

export function addReport(program: Command): void {
  command(program, 'report', 'write a run, a verdict, a migration or a tuning as a page that answers first, and as files for others', [
    'attnswap report runs/lengths.run.json --open',
    'attnswap report runs/ocr.migration --out reports/ocr.html',
    'attnswap report runs/ci.verdict.json --format html,md,csv,png',
  ])
    .argument('<path>', 'a run record (bench), a verdict (ab, gate --out), or the folder of a migration or a tuning')
    .option('--out <file>', 'the files’ name, whatever its extension (default: reports/<name>.html)')
    .option('--format <formats>', `${reportFormats.join(', ')}; with commas between`, formats, ['html'])
    .option('--open', 'open the first file written')
    .action(async (path: string, flags: ReportFlags) => finish(await report(path, flags)));
}
