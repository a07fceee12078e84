import { argument, defineCommand, option } from '../declare.ts';
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
    ...verdictOutputs,
    ...blocks,
  },
  examples: [
    'attnswap gate ci --base-dir ../base --out gate.junit.xml --out gate.sarif',
    'attnswap gate ./my.suite.ts --baseline main',
    'attnswap gate ci                        # A/A: this checkout against itself',
  ],
  exits: verdictExits,
  async run(given) {
    const { gate: judge } = await import('../../operations/gate.ts');
    return writeVerdict(await working(given, (hooks) => judge({ ...given, ...hooks })), given);
  },
});
