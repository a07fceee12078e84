import type { ListRecord } from '../../operations/list.ts';
import { table } from '../../text/layout.ts';
import { exitCodes, print, printJson } from '../console.ts';
import { defineCommand } from '../declare.ts';
import { adaptersFrom, moreBackends } from '../options.ts';

export const list = defineCommand({
  name: 'list',
  summary: 'list suites, variants with their parameters, backends and metrics',
  arguments: {},
  options: moreBackends,
  examples: ['attnswap list', 'attnswap list --json'],
  async run(given) {
    const { list: collect } = await import('../../operations/list.ts');
    const record = await collect({ adapters: await adaptersFrom(given) });
    if (given.json === true) printJson(record);
    else print(text(record));
    return exitCodes.pass;
  },
});

function text({ suites, tunings, variants, backends, metrics }: ListRecord): string {
  const described = (entries: ListRecord['suites']) =>
    table([['name', 'measures'], ...entries.map(({ name, description }) => [name, description])], 2);
  return [
    `Suites, for bench, gate and calibrate\n${described(suites)}`,
    `Testbeds, for tune\n${described(tunings)}`,
    `Variants, written name[.kernel][:key=value,…]\n${table(
      [
        ['name', 'parameters', 'kernels'],
        ...variants.map(({ name, parameters, kernels }) => [name, parameters.join(', ') || '–', kernels.join(' ')]),
      ],
      3,
    )}`,
    `Backends (attnswap doctor shows which run here)\n  ${backends.join(' ')}`,
    `Metrics for gates\n  ${metrics.join(' ')}`,
  ].join('\n\n');
}
