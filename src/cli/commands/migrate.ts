import { AttnswapError } from '../../contract/errors.ts';
import { goals, phases } from '../../migration/migration.ts';
import { defaults } from '../../operations/defaults.ts';
import { exitCodes, print, printJson } from '../console.ts';
import { argument, choice, defineCommand, flag, hidden, inGroup, option, place, refused, withDefault } from '../declare.ts';
import { isModel } from '../is-model.ts';
import { adaptersFrom, data, margin, model, moreBackends, threads, wait } from '../options.ts';
import { outputs } from '../outputs.ts';
import { percentage, recovery, repeated, wholeNumber } from '../parse.ts';
import { recordOutputs, writeRecord } from '../write-record.ts';
import { suggest } from '../suggest.ts';
import { working } from '../work.ts';

const someData = '--data book.txt --tokenizer tokenizer.json --lengths 128,256,512';

export const migrate = defineCommand({
  name: 'migrate',
  summary: 'try other attention in a model and reach a verdict',
  arguments: { model: argument('ONNX file, encoder–decoder or Hugging Face folder, module.py:function') },
  options: {
    ...data,
    candidate: option('<variant>', 'replacement to try (repeatable; default: dense, window and top-k)', repeated),
    goal: withDefault('latency', choice('<goal>', goals, 'what to tune for')),
    until: withDefault('tune', choice('<phase>', phases, 'last phase to run')),
    generate: option('<n>', 'tokens to generate from each item (decoders with a cache)', wholeNumber(1)),
    backward: flag('also compare a forward and backward call (PyTorch)'),
    recover: option('<how>', 'recover lost quality by training (PyTorch), e.g. transfer:labels=300', recovery),
    ranks: option('<n>', 'processes that share --recover (FSDP2, or --deepspeed zero3)', wholeNumber(1)),
    // Named beside --ranks.
    deepspeed: hidden(choice('<stage>', ['zero3'] as const, 'share the model out by DeepSpeed instead of FSDP2')),
    dir: place('folder', option('<dir>', 'results; a rerun resumes there (default: runs/<model>.migration)')),
    fresh: flag('reuse no figures of earlier runs (.attnswap/figures)'),
    out: outputs(recordOutputs, 'write the record'),
    ...inGroup('Decision', {
      qualityMargin: option('<percent>', 'largest acceptable quality loss, % (default: 2)', percentage),
      margin: margin('largest acceptable increase in latency or memory, %'),
      items: withDefault(defaults.items, option('<n>', 'items per length (--all-items: judge all of them)', wholeNumber(1))),
      allItems: hidden(flag('judge quality on every item, even if fewer are enough')),
      compareAt: option('<n>', 'length at which candidates are timed (default: the longest)', wholeNumber(1)),
      evaluations: withDefault(defaults.evaluations, option('<n>', 'maximum number of assignments that tuning measures', wholeNumber(1))),
      maxBlocks: withDefault(defaults.finalBlocks, option('<n>', 'maximum number of blocks in the final comparison', wholeNumber(2))),
    }),
    ...inGroup('Backends', { ...model, threads, wait }),
    ...moreBackends,
    ...refused(['trainer'], 'migrate tunes without training; attnswap tune trains testbeds'),
  },
  examples: [`attnswap migrate model.onnx ${someData}`],
  exits: { [exitCodes.regression]: 'keep as is', [exitCodes.inconclusive]: 'tune' },
  async run({ model: path, data: files, dim, candidate, out = [], ...given }) {
    if (!(await isModel(path))) {
      throw new AttnswapError('USAGE', `migrate is for ONNX and PyTorch models, got ${path}`, {
        hint: `for testbeds and tuning suites: attnswap tune ${path}`,
      });
    }
    if (files === undefined) throw new AttnswapError('USAGE', `migrate ${path}: --data is missing`, { hint: someData });
    const { migrate: takeThrough } = await import('../../operations/migrate.ts');
    const adapters = await adaptersFrom(given);
    const shared = { ...given, model: path, data: files, candidates: candidate, dimensions: dim, adapters };
    const record = await working(given, (hooks) => takeThrough({ ...shared, ...hooks }));
    const { migrationText } = await import('../migration-text.ts');
    const { settings, sites, folder } = record;
    if (given.json === true) printJson(record);
    else print(migrationText(record, { settings, sites, metric: record.metric ?? undefined, folder, reused: record.reused }));
    suggest(['report', folder], given);
    await writeRecord(folder, record, out, given);
    return { adopt: exitCodes.pass, 'tune-first': exitCodes.inconclusive, reject: exitCodes.regression, none: exitCodes.pass }[
      record.verdict ?? 'none'
    ];
  },
});
