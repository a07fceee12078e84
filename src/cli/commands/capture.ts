import { exitCodes, print, printJson } from '../console.ts';
import { argument, defineCommand, option, place, required } from '../declare.ts';
import { adaptersFrom, data, model, moreBackends } from '../options.ts';
import { wholeNumber } from '../parse.ts';
import { suggest } from '../suggest.ts';
import { working } from '../work.ts';

export const capture = defineCommand({
  name: 'capture',
  summary: 'save the Q, K and V of sites on real inputs (safetensors)',
  arguments: { model: argument('an ONNX file') },
  options: {
    ...data,
    data: required(data.data),
    out: place('folder', required(option('<dir>', 'output folder'))),
    site: option('<list>', 'sites to capture, e.g. 0,2-3 (default: all that can be swapped)'),
    items: option('<n>', 'items per length (default: every tensor file, else 1)', wholeNumber(1)),
    ...model,
    ...moreBackends,
  },
  examples: ['attnswap capture model.onnx --data book.txt --tokenizer tokenizer.json --out captured'],
  async run({ dim, site, ...given }) {
    const { capture: write } = await import('../../operations/capture.ts');
    const adapters = await adaptersFrom(given);
    const record = await working(given, (hooks) => write({ ...given, ...hooks, sites: site, dimensions: dim, adapters }));
    if (given.json === true) printJson(record);
    else print(record.files.join('\n'));
    suggest(['waste', '--inputs', record.files[0]!], given);
    return exitCodes.pass;
  },
});
