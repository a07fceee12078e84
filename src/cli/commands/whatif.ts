import { defaults } from '../../operations/defaults.ts';
import { exitCodes, print, printJson } from '../console.ts';
import { choice, defineCommand, inGroup, option, required, withDefault } from '../declare.ts';
import { causal, cell } from '../options.ts';
import { json, outputs, writeOutputs } from '../outputs.ts';
import { lengthList, repeated } from '../parse.ts';
import { whatifText } from '../whatif-text.ts';
import { dtypes } from '../../contract/shape.ts';

const { batch, heads, kvHeads, headDim } = cell;

export const whatif = defineCommand({
  name: 'whatif',
  summary: 'compute the least time on a device from its declared peak rates',
  arguments: {},
  options: {
    device: required(option('<file>', 'peak rates of a device, like devices/npu.json')),
    variant: withDefault(defaults.whatif.variants as readonly string[], option('<variant>', 'attention (repeatable)', repeated)),
    length: withDefault(defaults.whatif.lengths as readonly number[], option('<list>', 'tokens, e.g. 512,4096', lengthList)),
    causal,
    ...inGroup('Shape', {
      batch,
      heads,
      kvHeads,
      headDim,
      dtype: choice('<dtype>', dtypes, 'element type (default: f32 if the file has it, else f16, else bf16)'),
    }),
    out: outputs(['.json'], 'write the figures'),
  },
  examples: ['attnswap whatif --device devices/npu.json --variant window:w=256 --length 1024,4096'],
  async run({ out = [], variant, length, ...given }) {
    const { whatif: predict } = await import('../../operations/whatif.ts');
    const record = await predict({ ...given, variants: variant, lengths: length });
    if (given.json === true) printJson(record);
    else print(whatifText(record));
    await writeOutputs(out, { '.json': json(record) }, given);
    return exitCodes.pass;
  },
});
