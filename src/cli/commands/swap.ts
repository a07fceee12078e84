import { join } from 'node:path';
import { AttnswapError } from '../../contract/errors.ts';
import type { Span } from '../../contract/span.ts';
import { passedOverText } from '../../migration/passed-over.ts';
import type { FolderSwapRecord } from '../../operations/swap-folder.ts';
import type { SwapRecord } from '../../operations/swap.ts';
import { digits } from '../../text/figures.ts';
import { visible } from '../../text/untrusted.ts';
import { exitCodes, print, printJson } from '../console.ts';
import { argument, defineCommand, inGroup, option, place, required } from '../declare.ts';
import { adaptersFrom, data, model, moreBackends } from '../options.ts';
import { json, writeOutputs } from '../outputs.ts';
import { repeated, wholeNumber } from '../parse.ts';
import { watching } from '../work.ts';

export const swap = defineCommand({
  name: 'swap',
  summary: 'replace attention in a model and prove that nothing else changed',
  arguments: { model: argument('ONNX file, folder with an encoder and a decoder, Hugging Face folder, or module.py:function') },
  options: {
    variant: required(option('<variant>', 'name[.kernel][:key=value,…], or <sites>=<variant> (repeatable)', repeated)),
    out: place('either', required(option('<file>', 'output model or folder; a second --out file.json writes the proof', repeated))),
    site: option('<list>', 'sites to swap, e.g. 0,2-3 (default: all that can be swapped)'),
    ...model,
    ...inGroup('Data for comparing outputs', {
      ...data,
      items: option('<n>', 'items per length (default: every tensor file, else 8)', wholeNumber(1)),
    }),
    ...moreBackends,
  },
  examples: [
    'attnswap swap model.onnx --variant dense.fused --out fused.onnx',
    "attnswap swap model.onnx --variant 'window:w=64' --site 0,2-3 --out new.onnx --out proof.json",
    "attnswap swap model.onnx --variant 0=dense.fused --variant '1-3=window:w=64' --out mixed.onnx",
  ],
  async run({ dim, site, variant, ...given }) {
    const records = given.out.filter((path) => path.endsWith('.json')).map((path) => ({ path, as: '.json' as const }));
    const [out, ...others] = given.out.filter((path) => !path.endsWith('.json'));
    if (out === undefined || others.length > 0) {
      throw new AttnswapError('USAGE', `--out names ${out === undefined ? 'no model' : 'two models'}, expected one`, {
        hint: '--out swapped.onnx --out proof.json',
      });
    }
    const { onDataText, swap: write } = await import('../../operations/swap.ts');
    const adapters = await adaptersFrom(given);
    const options = { ...given, out, variants: variant, sites: site, dimensions: dim, adapters };
    const { partsAt } = await import('../../model/parts/find-parts.ts');
    if ((await partsAt(given.model)) !== undefined) {
      const { swapFolder } = await import('../../operations/swap-folder.ts');
      const record = await watching(given, (told) => swapFolder({ ...options, ...told }));
      if (given.json === true) printJson(record);
      else print(folderText(record, record.onData && onDataText(record.onData)));
      await writeOutputs(records, { '.json': json(record) }, given);
      return exitCodes.pass;
    }
    const record = await watching(given, (told) => write({ ...options, ...told }));
    if (given.json === true) printJson(record);
    else print(text(record, record.onData && onDataText(record.onData)));
    await writeOutputs(records, { '.json': json(record) }, given);
    return exitCodes.pass;
  },
});

function text(record: SwapRecord, onData: string | null): string {
  const readme = record.proof.of === 'modules' ? [`load it: see ${join(record.out, 'README.md')}`] : [];
  return [...fileLines(record), ...wholeLines(record, onData), `written: ${record.out}`, ...readme].join('\n');
}

/** What was done to each file, under its path, and what holds for all of them. */
function folderText({ files, out, ...record }: FolderSwapRecord, onData: string | null): string {
  const lines = files.flatMap((file) => [`${visible(file.out)}:`, ...fileLines(file).map((line) => `  ${line}`)]);
  return [...lines, ...wholeLines(record, onData), `written: ${out}`].join('\n');
}

/** What holds for the whole model. */
function wholeLines({ passedOver, warnings }: Pick<SwapRecord, 'passedOver' | 'warnings'>, onData: string | null): string[] {
  return [
    ...(passedOver.length === 0 ? [] : [passedOverText(passedOver)]),
    ...warnings.map((warning) => `warning: ${visible(warning)}`),
    ...(onData === null ? [] : [`your data: ${visible(onData)}`]),
  ];
}

function fileLines({
  changes,
  proof,
  atSites,
  comparison,
  rewrittenForOpset13: rewritten,
  inlinedFunctions: inlined,
}: FolderSwapRecord['files'][number]): string[] {
  const most = atSites.reduce((largest, { relative }) => Math.max(largest, relative), 0);
  const ofModules = proof.of === 'modules';
  const kept = `${proof.nodesKept} ${ofModules ? 'modules' : 'nodes'} and ${proof.initializersKept} ${ofModules ? 'parameters and buffers' : 'initializers'}`;
  const removed = ofModules ? '' : `; ${proof.nodesRemoved.length} nodes removed, ${proof.nodesAdded} added`;
  return [
    ...changes.map(
      ({ site, node, body, variant, window, exact, assumed }) =>
        `site ${site}: ${visible(node)}${body === null ? '' : ` in the ${visible(body)}`} → ${variant}${window === null ? '' : windowText(window, exact)}${assumed === null ? '' : ` (assumed: ${visible(assumed)})`}`,
    ),
    `unchanged: ${kept}, byte for byte (sha256 ${proof.sha256.slice(0, 12)})${removed}`,
    ...(rewritten.length > 0 ? [`first upgraded to opset 13: ${rewritten.length} nodes rewritten, with identical results`] : []),
    ...(inlined.length > 0 ? [`functions inlined first: ${inlined.map((name) => visible(name)).join(', ')}`] : []),
    `each new attention matches its definition on the site's own inputs, within ${digits(most)} (relative)`,
    ...unroundedLines(atSites),
    ...comparisonLines(comparison, Math.min(...changes.map(({ provenLength }) => provenLength ?? 0))),
  ];
}

function unroundedLines(atSites: FolderSwapRecord['files'][number]['atSites']): string[] {
  const rounded = atSites.filter(({ unrounded }) => unrounded !== undefined);
  if (rounded.length === 0) return [];
  const most = Math.max(...rounded.map(({ unrounded }) => unrounded!));
  const sites = `${rounded.length === 1 ? 'site' : 'sites'} ${rounded.map(({ site }) => site).join(', ')}`;
  return [
    `${sites}: the original rounds its logits or weights and the new attention does not; that alone changes their outputs by up to ${digits(most)} (relative)`,
  ];
}

function windowText({ left, right }: Span, exact: boolean): string {
  return ` (${exact ? 'keeps' : 'narrows'} the model's own window: ${left} keys before, ${right} after)`;
}

/** How far outputs were compared, and what was not. */
function comparisonLines({ runs, notRun, varied, largest }: SwapRecord['comparison'], longest: number): string[] {
  const compared = runs.filter(({ relative }) => relative !== null);
  const left = runs.length - compared.length;
  const sizes = [
    ...new Set(compared.map(({ batch, length, past }) => `${batch} × ${length}${past === undefined ? '' : ` after ${past} cached`}`)),
  ].join(', ');
  const blind = Math.max(0, ...runs.map(({ blindQueries }) => blindQueries));
  return [
    `outputs differ by at most ${digits(largest)} (relative) in ${compared.length} runs on random inputs (batch × length: ${sizes})`,
    ...(left > 0
      ? [`in ${left} more ${left === 1 ? 'run' : 'runs'} no output could be compared, because each depends on queries that see no key`]
      : []),
    ...(varied.length > 0 ? [`inputs that affect a mask, varied in these runs: ${varied.map((text) => visible(text)).join(', ')}`] : []),
    ...(longest > 0 ? [`masks and sizes checked up to ${longest} tokens`] : []),
    ...(blind > 0 ? [`up to ${blind} queries saw no key; their attention is undefined and was not compared`] : []),
    ...notRun.map(({ batch, length, reason }) => `the model did not run at batch ${batch}, length ${length}: ${visible(reason)}`),
  ];
}
