import { argument, defineCommand, option } from '../declare.ts';
import { blocks } from '../options.ts';
import { verdictExits, verdictOutputs, writeVerdict } from '../write-verdict.ts';
import { working } from '../work.ts';

export const gate = defineCommand({
  name: 'gate',
  summary: "measure and judge a suite's gates, for CI",
  arguments: { suite: argument('a built-in suite (attnswap list), or a suite file') },
  options: {
    baseDir: option('<dir>', 'base: a checkout or installation, measured now, in pairs (default: this checkout)'),
    baseline: option('<name>', 'base: stored runs of this very host'),
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
