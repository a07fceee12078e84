import type { Series } from '../../operations/history.ts';
import { digits, time } from '../../text/figures.ts';
import { table } from '../../text/layout.ts';
import { visible } from '../../text/untrusted.ts';
import { exitCodes, print, printJson } from '../console.ts';
import { defineCommand, optionalArguments } from '../declare.ts';
import { store } from '../options.ts';
import { json, outputs, writeOutputs } from '../outputs.ts';

export const history = defineCommand({
  name: 'history',
  summary: 'find when latency changed over stored runs',
  arguments: { runs: optionalArguments('run records or store:<id> (default: all stored runs); each host is examined separately') },
  options: { out: outputs(['.json'], 'write the changes'), store },
  examples: ['attnswap history runs/*.run.json', 'attnswap history'],
  async run({ out = [], ...given }) {
    const { history: find } = await import('../../operations/history.ts');
    const record = await find(given);
    if (given.json === true) printJson(record);
    else print(record.series.map(describe).join('\n\n'));
    await writeOutputs(out, { '.json': json(record) }, given);
    return exitCodes.pass;
  },
});

function describe({ fingerprint, runs, notCompared, changes }: Series): string {
  const missing = notCompared.length === 0 ? '' : `; not compared, because some runs could not read it: ${notCompared.join(', ')}`;
  const title = `host ${fingerprint.slice(0, 12) || 'unknown'}: ${runs} runs, ${changes.length} change${changes.length === 1 ? '' : 's'}${missing}`;
  if (changes.length === 0) return title;
  const rows = changes.map(({ cell, before, after, beforeNs, afterNs, change }) => [
    visible(cell),
    `${time(beforeNs)} → ${time(afterNs)}`,
    `${change > 0 ? '+' : '−'}${digits(Math.abs(100 * change))} %`,
    visible(before),
    visible(after),
  ]);
  return `${title}\n${table([['cell', 'latency', 'change', 'between', 'and'], ...rows])}`;
}
