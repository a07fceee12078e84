import { defaults } from '../../operations/defaults.ts';
import type { CalibrationRecord } from '../../operations/calibrate.ts';
import { percent } from '../../text/figures.ts';
import { table } from '../../text/layout.ts';
import { exitCodes, print, printJson } from '../console.ts';
import { defineCommand, option, optionalArgument, withDefault } from '../declare.ts';
import { store, threads, wait } from '../options.ts';
import { json, outputs, writeOutputs } from '../outputs.ts';
import { wholeNumber } from '../parse.ts';
import { working } from '../work.ts';

export const calibrate = defineCommand({
  name: 'calibrate',
  summary: "measure this host's noise floor with A/A comparisons",
  arguments: { suite: optionalArgument('suite whose timed cells are measured (default: ci)') },
  options: {
    blocks: withDefault(defaults.blocks, option('<n>', 'blocks per cell', wholeNumber(3))),
    seed: withDefault(defaults.seed, option('<n>', 'random seed', wholeNumber(0))),
    threads,
    store,
    wait,
    out: outputs(['.json'], 'write the calibrations'),
  },
  examples: ['attnswap calibrate ci', 'attnswap calibrate ./my.suite.ts --blocks 40'],
  async run({ out = [], ...given }) {
    const { calibrate: measure } = await import('../../operations/calibrate.ts');
    const record = await working(given, (hooks) => measure({ ...given, ...hooks }));
    if (given.json === true) printJson(record);
    else print(text(record));
    await writeOutputs(out, { '.json': json(record) }, given);
    return exitCodes.pass;
  },
});

function text({ store: folder, fingerprint, calibrations }: CalibrationRecord): string {
  const heading = ['cell', 'blocks', 'sd of blocks', 'bias', 'floor', 'detectable', 'least margin'];
  const rows = calibrations.map(({ cell, logRatios, standardDeviation, bias, floor, minimumDetectableEffect }) => [
    cell.replace(/ b\d.* q(\d+) .*/, ' $1'),
    String(logRatios.length),
    percent(standardDeviation),
    `${bias < 0 ? '−' : ''}${percent(Math.abs(bias))}`,
    percent(floor),
    percent(minimumDetectableEffect),
    percent(2 * minimumDetectableEffect),
  ]);
  return [
    table([heading, ...rows]),
    '',
    'floor: 95 % of A/A differences over 5 blocks are smaller.',
    'detectable: the smallest change that 40 blocks show 9 times in 10.',
    'least margin: gates with a smaller margin are refused.',
    '',
    `stored in ${folder}; valid for 14 days on the host with fingerprint ${fingerprint.short}`,
  ].join('\n');
}
