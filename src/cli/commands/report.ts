import { basename, dirname, extname, join } from 'node:path';
import { InvalidArgumentError } from 'commander';
import { AttnswapError } from '../../contract/errors.ts';
import { reportEndings } from '../../operations/endings.ts';
import { exitCodes, print, printJson, remark } from '../console.ts';
import { argument, defineCommand, flag, option } from '../declare.ts';
import { outputs } from '../outputs.ts';
import { progressLine } from '../progress.ts';

export const report = defineCommand({
  name: 'report',
  summary: 'render a run, verdict, audit, migration or tuning as HTML, PNG, …',
  arguments: { path: argument('run record, verdict, audit, or folder of a migration, tuning or claims') },
  options: {
    out: outputs(reportEndings, 'write the report (default: reports/<name>.html)'),
    open: flag('open the first file written'),
    otlp: option('<url>', 'push the figures to an OTLP/HTTP receiver; needs the OpenTelemetry SDK'),
    openmetrics: option('<url>', 'send the figures as OpenMetrics text by PUT, e.g. to a Pushgateway'),
    format: { ...option('<list>', '', formats), deprecated: 'use --out file.<format>, which can be repeated' },
  },
  examples: [
    'attnswap report runs/lengths.run.json --open',
    'attnswap report runs/ocr.migration --out reports/ocr.html',
    'attnswap report ci.verdict.json --out ci.html --out ci.md --out ci.png',
    'attnswap report runs/ci.run.json --otlp http://collector:4318',
  ],
  async run({ path, format, otlp, openmetrics, ...given }) {
    if (otlp !== undefined || openmetrics !== undefined) {
      const { push } = await import('../../operations/push.ts');
      const { figures, pushed } = await push({ path, otlp, openMetrics: openmetrics });
      remark(`${figures} figures pushed to ${pushed.join(' and ')}`, given);
      if (given.out === undefined && format === undefined && given.open !== true && given.json !== true) return exitCodes.pass;
    }
    const named = given.out?.map((output) => output.path);
    const out = format === undefined ? (named ?? [`${defaultStem(path)}.html`]) : inFormats(path, named?.[0], format);
    const { report: render } = await import('../../operations/report.ts');
    if (given.json === true) {
      printJson((await render({ path })).report);
      return exitCodes.pass;
    }
    // Progress is for those who wait: a small report is drawn before a bar is seen.
    const line = progressLine(process.stderr.isTTY ? given : { quiet: true });
    const onProgress = line.update.bind(line);
    const { report: found, files } = await render({ path, out, onProgress }).finally(() => line.stop());
    remark(`${found.verdict}. ${found.answer}`, given);
    for (const file of files) print(file);
    if (given.open === true) await open(files[0]!);
    return exitCodes.pass;
  },
});

type Format = 'html' | 'md' | 'csv' | 'json' | 'svg' | 'png';

function formats(text: string): readonly Format[] {
  return text.split(',').map((name) => {
    if (reportEndings.includes(`.${name.trim()}` as (typeof reportEndings)[number])) return name.trim() as Format;
    throw new InvalidArgumentError(`expected some of ${reportEndings.map((ending) => ending.slice(1)).join(', ')}, separated by commas`);
  });
}

/** As --format had it: one name, whatever its extension, and one file per format. */
function inFormats(path: string, out: string | undefined, wanted: readonly Format[]): readonly string[] {
  const stem = out === undefined ? defaultStem(path) : join(dirname(out), basename(out, extname(out)));
  return [...new Set(wanted)].map((format) => `${stem}.${format === 'json' ? 'report.json' : format}`);
}

function defaultStem(path: string): string {
  const name = basename(path).replace(/\.(run|verdict|report)?\.?json$/, '');
  return join('reports', name === '' || name === '.' ? 'report' : name);
}

/** In the reader's own browser, or whatever opens such files. */
async function open(file: string): Promise<void> {
  const { default: openFile } = await import('open');
  await openFile(file).catch((error: unknown) => {
    throw new AttnswapError('UNSUPPORTED', `${file} was written but could not be opened: ${(error as Error).message}`, { cause: error });
  });
}
