import { basename, extname, join } from 'node:path';
import { AttnswapError } from '../contract/errors.ts';
import { writeWhole } from '../files/whole-file.ts';
import type { Chart, Report } from '../report/document.ts';
import { drawSvg } from '../report/draw.ts';
import { reportPage } from '../report/html/page.ts';
import { chartPng } from '../report/picture.ts';
import { readReport } from '../report/read-report.ts';
import type { ReadReport } from '../report/read-report.ts';
import { reportMarkdown } from '../report/report-markdown.ts';
import { reportEndings } from './endings.ts';
import type { OperationOptions } from './options.ts';

export interface ReportOptions extends Pick<OperationOptions, 'onProgress'> {
  /** A run record, a verdict, an audit, or the folder of a migration or a tuning. */
  readonly path: string;
  /** Files to write, each as its ending says: .html, .md, .csv, .json; .svg and .png are a folder of one picture a chart. @default none */
  readonly out?: readonly string[] | undefined;
}

export interface ReportRecord {
  readonly report: Report;
  /** What was written. */
  readonly files: readonly string[];
}

/**
 * Makes a report of a run, a verdict, an audit, a migration or a tuning, and writes it.
 * @throws FILE_UNREADABLE, INVALID_RUN, INVALID_VERDICT, INVALID_MIGRATION, INVALID_REPORT, FILE_UNWRITABLE; USAGE for an unknown ending
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

type Content = readonly [file: string, content: string | Uint8Array];

async function contentsOf({ report: found, csv }: ReadReport, file: string, onProgress: ReportOptions['onProgress']): Promise<Content[]> {
  const ending = extname(file);
  const sections = found.sections.length;
  if (ending === '.html') return [[file, await reportPage(found, (done, what) => onProgress?.({ what, done, total: sections }))]];
  if (ending === '.md') return [[file, reportMarkdown(found)]];
  if (ending === '.csv') return [[file, csv()]];
  if (ending === '.json') return [[file, `${JSON.stringify(found, null, 1)}\n`]];
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

function chartsOf({ sections }: Report): Chart[] {
  return sections.flatMap(({ parts }) => parts.filter((part) => part.kind === 'chart'));
}
