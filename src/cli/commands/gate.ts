import { argument, defineCommand, flag, option } from '../declare.ts';
import { blocks } from '../options.ts';
import { verdictExits, verdictOutputs, writeVerdict } from '../write-verdict.ts';
import { working } from '../work.ts';

export const gate = defineCommand({
  name: 'gate',
  summary: 'measure a suite and judge its gates, for CI',
  arguments: { suite: argument('built-in suite (attnswap list) or suite file') },
  options: {
    baseDir: option('<dir>', 'compare with this checkout or installation, measured now (default: A/A)'),
    baseline: option('<name>', 'compare with stored runs of this host'),
    selfTest: flag('slow the new arm by twice the margin: passes only if every timed gate sees it'),
    ...verdictOutputs,
    ...blocks,
  },
  examples: [
    'attnswap gate ci --base-dir ../base --out gate.junit.xml --out gate.sarif',
    'attnswap gate ./my.suite.ts --baseline main',
    'attnswap gate ci                        # A/A: this checkout against itself',
    'attnswap gate ./my.suite.ts --self-test  # can these gates fail on this machine?',
  ],
  exits: verdictExits,
  async run(given) {
    const { gate: judge } = await import('../../operations/gate.ts');
    return writeVerdict(await working(given, (hooks) => judge({ ...given, ...hooks })), given);
  },
});
