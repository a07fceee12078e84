import type { RunComparison } from '../../report/compare-runs.ts';
import { exitCodes, print, printJson, tell } from '../console.ts';
import type { ExitCode } from '../console.ts';
import { defineCommand, restArguments } from '../declare.ts';
import { store } from '../options.ts';
import { json, oldOutput, outputs, writeOutputs } from '../outputs.ts';

export const compare = defineCommand({
  name: 'compare',
  summary: 'compare run records of machines, runtimes or versions side by side',
  arguments: { runs: restArguments('run records or store:<id>; the first is the base for each backend') },
  options: {
    out: outputs(['.json', '.csv', '.md', '.html'], 'write the comparison'),
    store,
    html: oldOutput('.html'),
    csv: oldOutput('.csv'),
  },
  examples: [
    'attnswap compare laptop.run.json server.run.json --out compared.html',
    'attnswap compare v1.run.json v2.run.json v3.run.json --out versions.csv',
  ],
  exits: { [exitCodes.incomplete]: 'a cell is missing', [exitCodes.incomparable]: 'no cell in common' },
  async run({ out = [], html = [], csv = [], ...given }) {
    const { compare: layOut } = await import('../../operations/compare.ts');
    const { comparisonText } = await import('../compare-text.ts');
    const comparison = await layOut(given);
    if (given.json === true) printJson(comparison);
    else print(comparisonText(comparison));
    await writeOutputs([...out, ...html, ...csv], renderers(comparison), given);
    return exitCodeOf(comparison);
  },
});

function renderers(comparison: RunComparison) {
  const report = async () => (await import('../../report/comparison-report.ts')).comparisonReport(comparison);
  return {
    '.json': json(comparison),
    '.csv': async () => (await import('../../report/compared-runs-csv.ts')).comparedRunsCsv(comparison),
    '.md': async () => (await import('../../report/report-markdown.ts')).reportMarkdown(await report()),
    '.html': async () => (await import('../../report/html/page.ts')).reportPage(await report()),
  };
}

async function exitCodeOf(comparison: RunComparison): Promise<ExitCode> {
  const { isWhole, refusedSentence } = await import('../../report/comparison/wording.ts');
  if (comparison.columns.length > 1) return isWhole(comparison) ? exitCodes.pass : exitCodes.incomplete;
  const why = comparison.refused.map((column) => refusedSentence(column));
  // Not a remark: --quiet does not silence why a command failed.
  tell(`attnswap: nothing to compare. ${why.join(' ')}\n  hint: measure the same suite for each record: attnswap bench`);
  return exitCodes.incomparable;
}
