import type { Baseline } from '../../compare/baseline.ts';
import { defaults } from '../../operations/defaults.ts';
import { table } from '../../text/layout.ts';
import { visible } from '../../text/untrusted.ts';
import { exitCodes, print, printJson } from '../console.ts';
import { argument, defineCommand, flag, option, restArguments } from '../declare.ts';
import { store } from '../options.ts';

const saveRuns = defineCommand({
  name: 'baseline save',
  summary: 'store complete runs of one host and suite as a baseline',
  arguments: { name: argument('name of the baseline'), runs: restArguments('run records from attnswap bench') },
  options: {
    reason: option('<text>', 'why these runs become the baseline'),
    by: option('<who>', 'who stores them (default: the current user)'),
    replace: flag('replace the baseline instead of adding to it'),
    portable: flag('keep only figures that hold on any machine; small enough to commit'),
    store,
  },
  examples: [
    "attnswap baseline save main runs/ci.run.json --reason 'release 1.2'",
    "attnswap baseline save ci runs/ci-*.run.json --portable --store . --reason 'release 1.2'",
  ],
  async run(given) {
    const { saveBaseline } = await import('../../operations/baseline.ts');
    const saved = await saveBaseline(given);
    const { suite, runs } = saved;
    if (given.json === true) printJson(saved);
    else print(`${saved.path}: ${runs} run${runs === 1 ? '' : 's'} of ${visible(suite)}`);
    return exitCodes.pass;
  },
});

const list = defineCommand({
  name: 'baseline list',
  summary: 'list the stored baselines',
  arguments: {},
  options: { store },
  examples: ['attnswap baseline list'],
  async run(given) {
    const { listBaselines } = await import('../../operations/baseline.ts');
    const baselines = await listBaselines(given);
    if (given.json === true) printJson(baselines.map(({ name, fingerprint, runs }) => ({ name, fingerprint, runs: runs.length })));
    else if (baselines.length === 0)
      print(`${given.store ?? defaults.store} has no baselines; store one with attnswap baseline save <name> <run.json …> --reason '…'`);
    else print(table([['name', 'suite', 'runs', 'host', 'latest'], ...baselines.map(summaryLine)]));
    return exitCodes.pass;
  },
});

const show = defineCommand({
  name: 'baseline show',
  summary: 'show what a baseline contains',
  arguments: { name: argument('name of the baseline') },
  options: { store },
  examples: ['attnswap baseline show main'],
  async run(given) {
    const [{ showBaseline }, text] = await Promise.all([import('../../operations/baseline.ts'), import('../baseline-text.ts')]);
    const baseline = await showBaseline(given);
    if (given.json === true) printJson(baseline);
    else print(text.baselineText(baseline));
    return exitCodes.pass;
  },
});

export const baselineCommands = [saveRuns, list, show];

function summaryLine({ name, fingerprint, runs, portable }: Baseline): string[] {
  if (portable !== undefined)
    return [visible(name), visible(portable.suite.name), String(portable.runs), 'portable', portable.promotedAt.slice(0, 10)];
  const latest = runs.at(-1)!;
  return [visible(name), visible(latest.run.suite.name), String(runs.length), fingerprint.slice(0, 12), latest.promotedAt.slice(0, 10)];
}
