import type { QueryResult } from '../../operations/query.ts';
import { digits } from '../../text/figures.ts';
import { table } from '../../text/layout.ts';
import { visible } from '../../text/untrusted.ts';
import { exitCodes, print, printJson, remark } from '../console.ts';
import { argument, defineCommand } from '../declare.ts';
import { store } from '../options.ts';
import { json, outputs, writeOutputs } from '../outputs.ts';
import { working } from '../work.ts';

/** Rows that are printed; files hold all. */
const mostRows = 1000;

export const query = defineCommand({
  name: 'query',
  summary: 'answer a SELECT over the store; needs the package @duckdb/node-api',
  arguments: { sql: argument('one SELECT over the tables runs, cells, verdicts and comparisons') },
  options: { out: outputs(['.json', '.csv'], 'write all rows'), store },
  examples: [
    'attnswap query "describe cells"',
    'attnswap query "select host, name, medianNs from cells join runs using (run) where keys = 4096"',
    'attnswap query "from comparisons where outcome = \'regression\'" --out regressions.csv',
  ],
  async run({ out = [], ...given }) {
    const { query: ask } = await import('../../operations/query.ts');
    const result = await working(given, ({ signal }) => ask({ ...given, signal }));
    if (given.json === true) printJson(objects(result));
    else {
      print(rowsText(result));
      if (result.rows.length > mostRows) remark(`the first ${mostRows} of ${result.rows.length} rows; --out rows.csv writes all`, given);
    }
    await writeOutputs(out, { '.json': json(objects(result)), '.csv': () => csvOf(result) }, given);
    return exitCodes.pass;
  },
});

function objects({ columns, rows }: QueryResult): Array<Record<string, unknown>> {
  return rows.map((row) => Object.fromEntries(columns.map((name, index) => [name, row[index]])));
}

function rowsText({ columns, rows }: QueryResult): string {
  return table([columns.map((name) => visible(name)), ...rows.slice(0, mostRows).map((row) => row.map(shown))]);
}

function shown(value: unknown): string {
  if (value === null || value === undefined) return '–';
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : digits(value);
  return visible(typeof value === 'string' ? value : JSON.stringify(value));
}

async function csvOf({ columns, rows }: QueryResult): Promise<string> {
  const { csv } = await import('../../report/csv.ts');
  return csv([columns, ...rows], {});
}
