import { basename, extname, join } from 'node:path';
import { AttnswapError } from '../contract/errors.ts';
import { writeWhole } from '../files/whole-file.ts';
import type { Chart, Report } from '../report/document.ts';
import { drawSvg } from '../report/draw.ts';
import { bencherMetrics } from '../report/export/bencher.ts';
import type { Figures } from '../report/export/figures.ts';
import { githubBenchmark } from '../report/export/github-benchmark.ts';
import { openMetrics } from '../report/export/open-metrics.ts';
import { reportPage } from '../report/html/page.ts';
import { chartPng } from '../report/picture.ts';
import { readReport } from '../report/read-report.ts';
import type { ReadReport } from '../report/read-report.ts';
import { reportMarkdown } from '../report/report-markdown.ts';
import { safeJson } from '../text/untrusted.ts';
import { reportEndings } from './endings.ts';
import type { OperationOptions } from './options.ts';

export interface ReportOptions extends Pick<OperationOptions, 'onProgress'> {
  /** A run record, a verdict, an audit, or the folder of a migration, a tuning or claims. */
  readonly path: string;
  /**
   * Files to write, each as its ending says: .html, .md, .csv, .json; .svg and .png are a folder of one picture a chart; .openmetrics.txt, .bmf.json
   * and .benchmark.json are the figures of a run record or a verdict for other tools. @default none
   */
  readonly out?: readonly string[] | undefined;
}

export interface ReportRecord {
  readonly report: Report;
  /** Files written. */
  readonly files: readonly string[];
}

/**
 * Makes a report of a run, a verdict, an audit, a migration, a tuning or claims, and writes it.
 * @throws FILE_UNREADABLE, INVALID_RUN, INVALID_VERDICT, INVALID_MIGRATION, INVALID_REPORT, FILE_UNWRITABLE; USAGE for an unknown ending, or one for figures that the record has none of
 */
export async function report({ path, out = [], onProgress }: ReportOptions): Promise<ReportRecord> {
  const found = await readReport(path);
  const files: string[] = [];
  for (const file of out) {
    for (const [name, content] of await contentsOf(found, file, onProgress)) {
      await writeWhole(name, content);
      files.push(name);
    }
  }
  return { report: found.report, files };
}

const exports: Readonly<Record<string, (figures: Figures) => string>> = {
  '.openmetrics.txt': openMetrics,
  '.bmf.json': bencherMetrics,
  '.benchmark.json': githubBenchmark,
};

type Content = readonly [file: string, content: string | Uint8Array];

async function contentsOf(
  { report: found, csv, figures }: ReadReport,
  file: string,
  onProgress: ReportOptions['onProgress'],
): Promise<Content[]> {
  const exported = Object.entries(exports).find(([ending]) => file.endsWith(ending));
  if (exported !== undefined) return [[file, exported[1](figures ?? refuseFigures(file, found.kind))]];
  const ending = extname(file);
  const sections = found.sections.length;
  if (ending === '.html') return [[file, await reportPage(found, (done, what) => onProgress?.({ what, done, total: sections }))]];
  if (ending === '.md') return [[file, reportMarkdown(found)]];
  if (ending === '.csv') return [[file, csv()]];
  if (ending === '.json') return [[file, `${safeJson(found)}\n`]];
  if (ending !== '.svg' && ending !== '.png')
    throw new AttnswapError('USAGE', `${file}: ends in ${JSON.stringify(ending)}, expected ${reportEndings.join(', ')}`);
  const folder = join(file, '..', `${basename(file, ending)}.charts`);
  const pictures: Content[] = [];
  for (const chart of chartsOf(found)) {
    const picture = ending === '.svg' ? await drawSvg(chart.spec, chart.id) : await chartPng(chart);
    pictures.push([join(folder, `${chart.id}${ending}`), picture]);
  }
  return pictures;
}

function refuseFigures(file: string, kind: string): never {
  throw new AttnswapError('USAGE', `${file}: a ${kind} has no such figures, expected a run record or a verdict`, {
    hint: `--out ${basename(file).split('.')[0]}.json writes all of it`,
  });
}

function chartsOf({ sections }: Report): Chart[] {
  return sections.flatMap(({ parts }) => parts.filter((part) => part.kind === 'chart'));
}
