import { AttnswapError } from '../../contract/errors.ts';
import { builtInTunings } from '../../loading/built-in.ts';
import { defaults } from '../../operations/defaults.ts';
import type { TuningRecord } from '../../operations/tune.ts';
import { exitCodes, print, printJson } from '../console.ts';
import type { ExitCode } from '../console.ts';
import { argument, defineCommand, option, place, refused, withDefault } from '../declare.ts';
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
  summary: 'train a testbed with each attention, and compare what comes of it',
  arguments: { suite: argument(`${builtInTunings.join(', ')}, or a tuning suite file`) },
  options: {
    trainer: option('<backend>', 'backend that trains (default: the best one here, torch before tfjs)'),
    dir: place('folder', option('<dir>', 'keeps every result; the same command resumes there (default: runs/<suite>.tuning)')),
    out: outputs(recordOutputs, 'write the record'),
    backend,
    seed: withDefault(defaults.seed, option('<n>', 'random seed', wholeNumber(0))),
    maxBlocks: withDefault(defaults.finalBlocks, option('<n>', 'blocks of the last comparison', wholeNumber(2))),
    threads,
    wait,
    ...moreBackends,
    ...refused(ofModels, 'a tuning suite says so itself (docs/tuning.md); ONNX models are for attnswap migrate'),
  },
  examples: ['attnswap tune tune-recall', 'attnswap tune ./my.suite.ts --trainer torch-cpu'],
  exits: { [exitCodes.regression]: 'keep the model as it is', [exitCodes.inconclusive]: 'tune first' },
  async run({ suite, out = [], ...given }) {
    const { isModelPath } = await import('../../model/file/foreign-files.ts');
    if (isModelPath(suite)) {
      throw new AttnswapError('USAGE', `tune is for testbeds, got the model ${suite}`, {
        hint: `attnswap migrate ${suite} --data … goes through all phases, tuning included`,
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
