import type { RunRecord } from '../../contract/run.ts';
import { builtInSuites } from '../../loading/built-in.ts';
import { exitCodes, print, printJson, remark } from '../console.ts';
import type { ExitCode } from '../console.ts';
import { argument, defineCommand, flag } from '../declare.ts';
import { adaptersFrom, moreBackends, threads, wait } from '../options.ts';
import { json, oldOutput, outputs, writeOutputs } from '../outputs.ts';
import { suggest } from '../suggest.ts';
import { working } from '../work.ts';

export const bench = defineCommand({
  name: 'bench',
  summary: 'measure a suite: latency, peak memory, waste and error of each cell',
  arguments: { suite: argument(`${builtInSuites.join(', ')}, or a suite file`) },
  options: {
    out: outputs(['.json', '.csv', '.md', '.html'], 'write the run (default: runs/<suite>.run.json)'),
    resume: flag('continue an interrupted run, keeping the cells already measured'),
    energy: flag('also measure the energy of a call (half a minute per cell)'),
    threads,
    wait,
    csv: oldOutput('.csv'),
    ...moreBackends,
  },
  examples: ['attnswap bench lengths', 'attnswap bench ./my.suite.ts --out my.run.json --out my.csv', 'attnswap bench lengths --resume'],
  exits: { [exitCodes.incomplete]: 'a declared cell was not measured' },
  async run({ out = [], csv = [], ...given }) {
    const { bench: measure, runPath } = await import('../../operations/bench.ts');
    // The first .json is the record, written after every cell; further ones are copies.
    const first = out.find(({ as }) => as === '.json');
    const adapters = await adaptersFrom(given);
    const run = await working(given, (hooks) => measure({ ...given, ...hooks, record: first?.path, adapters }));
    const { benchTable } = await import('../bench-table.ts');
    if (given.json === true) printJson(run);
    else print(benchTable(run));
    remark(`record: ${first?.path ?? runPath(run.suite.name)}`, given);
    suggest(['report', first?.path ?? runPath(run.suite.name)], given);
    await writeOutputs([...out.filter((output) => output !== first), ...csv], renderers(run), given);
    return exitCodeOf(run);
  },
});

function renderers(run: RunRecord) {
  const report = async () => (await import('../../report/run-report.ts')).runReport(run);
  return {
    '.json': json(run),
    '.csv': async () => (await import('../../report/run-csv.ts')).runCsv(run),
    '.md': async () => (await import('../../report/report-markdown.ts')).reportMarkdown(await report()),
    '.html': async () => (await import('../../report/html/page.ts')).reportPage(await report()),
  };
}

/** 3 where a cell is missing, 5 where one failed or is wrong. A backend that this machine lacks is a missing cell too. */
function exitCodeOf(run: RunRecord): ExitCode {
  if (run.cells.some(({ status }) => status === 'mismatch' || status === 'failed' || status === 'timed-out')) return exitCodes.error;
  return run.complete && run.cells.every(({ status }) => status === 'ok') ? exitCodes.pass : exitCodes.incomplete;
}
