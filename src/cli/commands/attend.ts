import { dtypes } from '../../contract/shape.ts';
import { defaults } from '../../operations/defaults.ts';
import { digits } from '../../text/figures.ts';
import { exitCodes, print, printJson, tell } from '../console.ts';
import { choice, defineCommand, option, place, required, toggle, withDefault } from '../declare.ts';
import { adaptersFrom, backend, moreBackends } from '../options.ts';
import { wholeNumber } from '../parse.ts';
import { watching } from '../work.ts';

export const attend = defineCommand({
  name: 'attend',
  summary: 'run one attention on your own Q, K and V (safetensors)',
  arguments: {},
  options: {
    variant: required(option('<variant>', 'name[.kernel][:key=value,…]')),
    inputs: required(option('<file>', 'tensors q, k, v; optional mask, bias, sinks, gate.u, gate.w, gate.b; metadata scale, softcap')),
    out: place('file', required(option('<file>', 'output file for tensor o'))),
    backend,
    causal: toggle('causal, or --no-causal (default: from the file)'),
    dtype: withDefault('f32', choice('<dtype>', dtypes, 'element type')),
    seed: withDefault(defaults.seed, option('<n>', 'random seed for a gate that the file lacks', wholeNumber(0))),
    ...moreBackends,
  },
  examples: ["attnswap attend --variant 'topk:k=32' --inputs in.safetensors --out out.safetensors --causal"],
  exits: { [exitCodes.incomplete]: 'the backend lacks this attention' },
  async run(given) {
    const { attend: compute } = await import('../../operations/attend.ts');
    const adapters = await adaptersFrom(given);
    const record = await watching(given, (told) => compute({ ...given, ...told, adapters }));
    if ('unsupported' in record) {
      tell(`attnswap: unsupported: ${record.unsupported}`);
      return exitCodes.incomplete;
    }
    const { relative, budget, rowsChecked } = record.error;
    const error = `relative error ${digits(relative)} against float64 (budget ${digits(budget)}, ${rowsChecked} rows)`;
    if (given.json === true) printJson(record);
    else print(`${record.out}: ${error}`);
    return exitCodes.pass;
  },
});
