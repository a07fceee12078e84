import { AttnswapError } from '../../contract/errors.ts';
import type { CapturedWorkload, CaptureTraceOptions } from '../../operations/capture-trace.ts';
import { exitCodes, print, printJson, remark } from '../console.ts';
import type { CommonFlags, ExitCode } from '../console.ts';
import { argument, defineCommand, option, place, required } from '../declare.ts';
import { adaptersFrom, data, model, moreBackends } from '../options.ts';
import { wholeNumber } from '../parse.ts';
import { suggest } from '../suggest.ts';
import { visible } from '../../text/untrusted.ts';
import { working } from '../work.ts';

/** A trace takes none of these. */
const ofModels = {
  ...data,
  site: option('<list>', 'sites to capture, e.g. 0,2-3 (default: all that can be swapped)'),
  ...model,
  ...moreBackends,
};

export const capture = defineCommand({
  name: 'capture',
  summary: 'save the Q, K and V of sites on real inputs (safetensors)',
  arguments: { model: argument('ONNX file, Hugging Face folder, module.py:function, FlashInfer trace (.jsonl)') },
  options: {
    out: place('folder', required(option('<dir>', 'output folder'))),
    ...ofModels,
    items: option('<n>', 'items per length (default: every tensor file, else 1), or requests per workload', wholeNumber(1)),
    root: option('<dir>', "a trace's data set (default: the folder that holds workloads/ or traces/)"),
  },
  examples: [
    'attnswap capture model.onnx --data book.txt --tokenizer tokenizer.json --out captured',
    'attnswap capture flashinfer-trace/workloads/gqa_paged/decode.jsonl --out captured',
  ],
  exits: { [exitCodes.incomplete]: 'a workload of a trace was not captured' },
  async run(given) {
    const isTrace = given.model.endsWith('.jsonl');
    const names = isTrace ? (Object.keys(ofModels) as ReadonlyArray<keyof typeof ofModels>) : (['root'] as const);
    const ignored = names.filter((name) => given[name] !== undefined).map((name) => `--${name}`);
    if (ignored.length > 0) throw new AttnswapError('USAGE', `a ${isTrace ? 'trace' : 'model'} does not take ${ignored.join(', ')}`);
    if (isTrace) return captureOfTrace(given);
    const { model: path, data: items, site: sites, dim: dimensions } = given;
    if (items === undefined)
      throw new AttnswapError('USAGE', `capture ${path}: --data is missing`, { hint: 'attnswap init data writes a data module' });
    const { capture: write } = await import('../../operations/capture.ts');
    const adapters = await adaptersFrom(given);
    const record = await working(given, (hooks) => write({ ...given, ...hooks, data: items, sites, dimensions, adapters }));
    if (given.json === true) printJson(record);
    else print(record.files.join('\n'));
    suggest(['waste', '--inputs', record.files[0]!], given);
    return exitCodes.pass;
  },
});

async function captureOfTrace(given: Omit<CaptureTraceOptions, 'trace'> & { readonly model: string } & CommonFlags): Promise<ExitCode> {
  const { captureTrace } = await import('../../operations/capture-trace.ts');
  const record = await working(given, (hooks) => captureTrace({ ...given, ...hooks, trace: given.model }));
  const left = record.workloads.filter(({ reason }) => reason !== null);
  if (given.json === true) printJson(record);
  else if (record.files.length > 0) print(record.files.join('\n'));
  for (const [reason, own] of Map.groupBy(left, (workload) => workload.reason!))
    remark(`${own.length} of ${record.workloads.length} workloads: ${visible(reason)}${shapesText(own)}`, given);
  if (record.files.length > 0) suggest(['waste', '--inputs', record.files[0]!], given);
  return left.length === 0 ? exitCodes.pass : exitCodes.incomplete;
}

/** Their lengths, for the matrix of a suite. */
function shapesText(workloads: readonly CapturedWorkload[]): string {
  const shapes = [...new Set(workloads.flatMap(({ shape }) => shape ?? []))];
  return shapes.length === 0 ? '' : `; for a suite:\nshapes: [${shapes.map((shape) => `'${shape}'`).join(', ')}]`;
}
