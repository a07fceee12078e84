import { AttnswapError } from '../../contract/errors.ts';
import { builtInTunings } from '../../loading/built-in.ts';
import { defaults } from '../../operations/defaults.ts';
import type { TuningRecord } from '../../operations/tune.ts';
import { exitCodes, print, printJson } from '../console.ts';
import type { ExitCode } from '../console.ts';
import { argument, defineCommand, option, place, refused, withDefault } from '../declare.ts';
import { isModel } from '../is-model.ts';
import { adaptersFrom, backend, moreBackends, threads, wait } from '../options.ts';
import { outputs } from '../outputs.ts';
import { wholeNumber } from '../parse.ts';
import { recordOutputs, writeRecord } from '../write-record.ts';
import { suggest } from '../suggest.ts';
import { working } from '../work.ts';

const ofModels = [
  ...['data', 'tokenizer', 'lengths', 'dim', 'until', 'candidate', 'items', 'compareAt'],
  ...['qualityMargin', 'margin', 'goal', 'evaluations'],
];

export const tune = defineCommand({
  name: 'tune',
  summary: 'train a testbed model with each attention and compare results',
  arguments: { suite: argument(`${builtInTunings.join(', ')}, or a tuning suite file`) },
  options: {
    trainer: option('<backend>', 'training backend (default: the best available, torch before tfjs)'),
    dir: place('folder', option('<dir>', 'results; a rerun resumes there (default: runs/<suite>.tuning)')),
    out: outputs(recordOutputs, 'write the record'),
    backend,
    seed: withDefault(defaults.seed, option('<n>', 'random seed', wholeNumber(0))),
    maxBlocks: withDefault(defaults.finalBlocks, option('<n>', 'maximum number of blocks in the final comparison', wholeNumber(2))),
    threads,
    wait,
    ...moreBackends,
    ...refused(ofModels, 'set it in the tuning suite (docs/tuning.md); for models, use attnswap migrate'),
  },
  examples: ['attnswap tune tune-recall', 'attnswap tune ./my.suite.ts --trainer torch-cpu'],
  exits: { [exitCodes.regression]: 'keep the model as it is', [exitCodes.inconclusive]: 'tune first' },
  async run({ suite, out = [], ...given }) {
    if (await isModel(suite)) {
      throw new AttnswapError('USAGE', `tune is for testbeds, got the model ${suite}`, {
        hint: `for a model, use attnswap migrate ${suite} --data …, which includes tuning`,
      });
    }
    const { tune: train } = await import('../../operations/tune.ts');
    const adapters = await adaptersFrom(given);
    const record = await working(given, (hooks) => train({ ...given, ...hooks, suite, adapters }));
    const [{ tuningText }, { taskOf }] = await Promise.all([import('../tuning-text.ts'), import('../../training/tasks/index.ts')]);
    const { settings, warnings, folder } = record;
    const context = { tuning: settings, task: taskOf(settings.task), folder, trainer: settings.trainer, warnings };
    if (given.json === true) printJson(record);
    else print(tuningText(record, context));
    suggest(['report', folder], given);
    await writeRecord(folder, record, out, given);
    return exitCodeOf(record);
  },
});

function exitCodeOf({ candidates }: TuningRecord): ExitCode {
  const verdicts = candidates.map(({ decision }) => decision.verdict);
  if (verdicts.includes('adopt')) return exitCodes.pass;
  return verdicts.includes('tune-first') ? exitCodes.inconclusive : exitCodes.regression;
}
