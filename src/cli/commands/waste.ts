import { InvalidArgumentError } from 'commander';
import type { KeyGroup } from '../../contract/key-groups.ts';
import { defaults } from '../../operations/defaults.ts';
import { exitCodes, print, printJson, remark } from '../console.ts';
import { defineCommand, option, required, toggle, withDefault } from '../declare.ts';
import { json, outputs, writeOutputs } from '../outputs.ts';
import { wholeNumber } from '../parse.ts';
import { wasteText } from '../waste-text.ts';
import { watching } from '../work.ts';

export const waste = defineCommand({
  name: 'waste',
  summary: 'measure wasted attention on your own Q, K and V (safetensors)',
  arguments: {},
  options: {
    inputs: required(option('<file>', 'tensors q, k, v; optional mask, bias; metadata scale, softcap')),
    variant: withDefault('dense', option('<variant>', 'attention to measure')),
    causal: toggle('causal, or --no-causal (default: from the file)'),
    rows: withDefault(defaults.rows, option('<n|all>', 'rows to measure, sampled over heads and positions', rowCount)),
    group: option('<name=from:to>', 'keys of one source, e.g. image=0:196 for 0 to 195; repeatable', keyGroups),
    seed: withDefault(defaults.seed, option('<n>', 'random seed for sampling rows', wholeNumber(0))),
    out: outputs(['.json'], 'write the figures'),
  },
  examples: [
    'attnswap waste --inputs in.safetensors --causal --rows all --json',
    'attnswap waste --inputs in.safetensors --group image=0:196 --group text=196:240',
  ],
  async run({ out = [], group: groups, ...given }) {
    const { waste: measure } = await import('../../operations/waste.ts');
    const record = await watching(given, (told) => measure({ ...given, groups, ...told }));
    if (given.json === true) printJson(record);
    else print(wasteText(given.variant ?? 'dense', record));
    remark('all figures, per head: --json', given);
    await writeOutputs(out, { '.json': json(record) }, given);
    return exitCodes.pass;
  },
});

function rowCount(text: string): number | 'all' {
  if (text === 'all') return 'all';
  const count = Number(text);
  if (Number.isSafeInteger(count) && count >= 1) return count;
  throw new InvalidArgumentError('expected "all" or a whole number ≥ 1');
}

function keyGroups(text: string, before: readonly KeyGroup[] = []): readonly KeyGroup[] {
  const { name, from, to } = /^(?<name>.+)=(?<from>\d{1,9}):(?<to>\d{1,9})$/su.exec(text)?.groups ?? {};
  if (name === undefined) throw new InvalidArgumentError('expected name=from:to, such as image=0:196');
  return [...before, { name, from: Number(from), to: Number(to) }];
}
