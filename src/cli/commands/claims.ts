import type { ClaimsRecord } from '../../contract/claims.ts';
import { defaults } from '../../operations/defaults.ts';
import { exitCodes, print, printJson, remark } from '../console.ts';
import { defineCommand, inGroup, option, place, restArguments, withDefault } from '../declare.ts';
import { adaptersFrom, data, model, moreBackends, threads, wait } from '../options.ts';
import { json, outputs, writeOutputs } from '../outputs.ts';
import { lengthList, repeated, wholeNumber } from '../parse.ts';
import { suggest } from '../suggest.ts';
import { working } from '../work.ts';

export const claims = defineCommand({
  name: 'claims',
  summary: 'check an article’s claims about attention on your own model',
  arguments: { what: restArguments('models, suites, testbeds; run records, folders of migrations or tunings') },
  options: {
    only: option('<claim>', 'judge this claim, and measure only what it needs (repeatable)', repeated),
    ...data,
    lengths: withDefault(defaults.claimsLengths as readonly number[], option('<list>', 'sequence lengths', lengthList)),
    candidate: withDefault(
      defaults.claimsCandidates as readonly string[],
      option('<variant>', 'replacement to try (repeatable)', repeated),
    ),
    items: withDefault(defaults.items, option('<n>', 'items per length for judging quality', wholeNumber(1))),
    dir: place('folder', option('<dir>', 'results; a rerun resumes there (default: runs/<subject>.claims)')),
    out: outputs(['.json', '.csv', '.md', '.html'], 'write the claims'),
    ...inGroup('Backends', {
      ...model,
      trainer: option('<backend>', 'training backend of testbeds (default: the best available)'),
      threads,
      wait,
    }),
    ...moreBackends,
  },
  examples: [
    'attnswap claims model.onnx --data my.data.ts',
    'attnswap claims runs/model.migration tune-techniques half-precision',
    'attnswap claims runs/model.migration --only memory',
  ],
  async run({ what, dim, candidate, out = [], ...given }) {
    const { claims: judge } = await import('../../operations/claims.ts');
    const adapters = await adaptersFrom(given);
    const shared = { ...given, subjects: what, candidates: candidate, dimensions: dim, adapters };
    const { folder, ...record } = await working(given, (hooks) => judge({ ...shared, ...hooks }));
    const { claimsText } = await import('../claims-text.ts');
    if (given.json === true) printJson(record);
    else print(claimsText(record));
    remark(`record: ${folder}/record.json`, given);
    suggest(['report', folder], given);
    await writeOutputs(out, renderers(record), given);
    return exitCodes.pass;
  },
});

function renderers(record: ClaimsRecord) {
  const report = async () => (await import('../../report/claims-report.ts')).claimsReport(record);
  return {
    '.json': json(record),
    '.csv': async () => (await import('../../report/claims-csv.ts')).claimsCsv(record),
    '.md': async () => (await import('../../report/report-markdown.ts')).reportMarkdown(await report()),
    '.html': async () => (await import('../../report/html/page.ts')).reportPage(await report()),
  };
}
