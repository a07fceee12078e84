import { AttnswapError } from '../contract/errors.ts';
import type { Assumption } from './site.ts';

/** `mask=none`, `mask=causal` or `mask=padding:<input>`. @throws USAGE */
export function parseAssumption(text: string): Assumption {
  const [, mask, input] = /^mask=(none|causal|padding)(?::(.+))?$/.exec(text) ?? [];
  if ((mask === 'none' || mask === 'causal') && input === undefined) return { mask };
  if (mask === 'padding' && input !== undefined) return { mask, input };
  throw new AttnswapError('USAGE', `--assume ${JSON.stringify(text)}: expected mask=none, mask=causal or mask=padding:<input>`, {
    hint: 'for example --assume mask=padding:attention_mask',
  });
}

/** An assumption as it is written. */
export function assumptionText({ mask, input }: Assumption): string {
  return `mask=${mask}${input === undefined ? '' : `:${input}`}`;
}
