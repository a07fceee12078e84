import type { AuditRecord } from '../../contract/audit.ts';
import { AttnswapError } from '../../contract/errors.ts';
import { defaults } from '../../operations/defaults.ts';
import { print, printJson } from '../console.ts';
import type { ExitCode } from '../console.ts';
import { choice, defineCommand, flag, hidden, inGroup, optionalArgument, option, withDefault } from '../declare.ts';
import { adaptersFrom, backend, causal, cell, model, moreBackends, wait } from '../options.ts';
import { json, outputs, writeOutputs } from '../outputs.ts';
import { numberList, seconds, wholeNumber } from '../parse.ts';
import { working } from '../work.ts';

const { length: _, ...shape } = cell;
/** What a model has no say in: it has its own shape. */
const ofKernels = [...Object.keys(shape), 'causal', 'unchecked'];

export const audit = defineCommand({
  name: 'audit',
  summary: 'check whether a window, top-k or gate skips work or only masks it',
  arguments: { kernel: optionalArgument('name[.kernel][:key=value,…], or an ONNX file') },
  options: {
    backend,
    callable: option('<module:function>', 'Python function of q, k, v and a keyword (--keyword names it)'),
    keyword: hidden(option('<name>', 'keyword that takes the window')),
    arrays: withDefault('torch', choice('<kind>', defaults.arrays, 'arrays that the function takes')),
    unchecked: flag('audit even if the output differs from the float64 reference'),
    length: withDefault(defaults.auditLength, option('<n>', 'longest length; the window varies there', wholeNumber(128))),
    values: option('<list>', 'values of w, k, … (default: 1/16, 1/8, 1/4, 1/2 and all of the keys)', numberList),
    out: outputs(['.json', '.csv', '.md', '.html'], 'write the audit'),
    causal,
    dim: { ...model.dim, help: 'size of another dynamic dimension of a model, e.g. batch=1 (repeatable)' },
    ...inGroup('Shape', shape),
    ...inGroup('Measurement', {
      rounds: withDefault(defaults.auditRounds, option('<n>', 'maximum number of rounds; three may decide', wholeNumber(2))),
      sampleSeconds: hidden(option('<s>', 'sampling time per setting and round', seconds)),
      seed: withDefault(defaults.seed, option('<n>', 'random seed', wholeNumber(0))),
      threads: withDefault(defaults.auditThreads, option('<n>', 'threads per operator', wholeNumber(1))),
      wait,
    }),
    ...moreBackends,
  },
  examples: [
    "attnswap audit 'window:w=256' --backend torch-cpu",
    'attnswap audit model.onnx --dim batch=1 --out audit.html',
    "attnswap audit --callable 'my_package.attention:windowed'",
  ],
  exits: { 1: 'masks only, or copies n²', 2: 'inconclusive' },
  async run({ dim, out = [], backend: named, ...given }) {
    refuseOthers(given.kernel, given.callable, { ...given, dim });
    const { audit: judge } = await import('../../operations/audit.ts');
    const adapters = await adaptersFrom(given);
    const record = await working(given, (hooks) => judge({ ...given, backend: named, dimensions: dim, adapters, ...hooks }));
    const { auditText } = await import('../audit-text.ts');
    // Printed first: a full disk must not swallow the verdict.
    if (given.json === true) printJson(record);
    else print(auditText(record));
    await writeOutputs(out, renderers(record), given);
    return record.exitCode as ExitCode;
  },
});

/** What does not apply to what is audited. @throws USAGE */
function refuseOthers(kernel: string | undefined, callable: string | undefined, given: Readonly<Record<string, unknown>>): void {
  const isModel = callable === undefined && kernel?.endsWith('.onnx') === true;
  const foreign = [...(isModel ? ofKernels : ['dim']), ...(callable === undefined ? ['keyword', 'arrays'] : ['worker'])].find(
    (name) => given[name] !== undefined,
  );
  if (foreign === undefined) return;
  const named = `--${foreign.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  throw new AttnswapError(
    'USAGE',
    `${named} does not apply to ${isModel ? 'a model' : callable === undefined ? 'a kernel' : 'a callable'}`,
    {
      hint: 'attnswap audit --help',
    },
  );
}

function renderers(record: AuditRecord) {
  const report = async () => (await import('../../report/audit-report.ts')).auditReport(record);
  return {
    '.json': json(record),
    '.csv': async () => (await import('../../report/audit-csv.ts')).auditCsv(record),
    '.md': async () => (await import('../../report/report-markdown.ts')).reportMarkdown(await report()),
    '.html': async () => (await import('../../report/html/page.ts')).reportPage(await report()),
  };
}
