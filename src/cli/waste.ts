import type { AdapterEntry } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import { findVariant, parseVariant } from '../variants/index.ts';
import { measureWaste } from '../waste/measure-waste.ts';
import { gatedInputs } from './attend.ts';
import { exitCodes, print, printJson, remark } from './console.ts';
import type { CommonFlags, ExitCode } from './console.ts';
import { wasteText } from './waste-text.ts';

export interface WasteFlags extends CommonFlags {
  readonly inputs: string;
  readonly variant: string;
  readonly causal?: boolean;
  readonly rows: string;
  readonly seed?: number;
}

/** Waste metrics of one variant over the user's own tensors, overall and by head. */
export async function waste(flags: WasteFlags, _adapters: readonly AdapterEntry[]): Promise<ExitCode> {
  const spec = parseVariant(flags.variant);
  const { inputs, warnings } = await gatedInputs(flags, spec);
  for (const warning of warnings) remark(`warning: ${warning}`, flags);
  const variant = findVariant(spec.variant);
  const refusal = variant.refuses(spec.parameters, inputs.shape);
  if (refusal !== undefined) throw new AttnswapError('UNSUPPORTED', refusal);
  const report = measureWaste({
    inputs,
    inputsName: `captured:${flags.inputs}`,
    variant,
    parameters: spec.parameters,
    dense: findVariant('dense'),
    rows: readRows(flags.rows, flags.seed ?? 1),
  });
  if (flags.json === true) {
    printJson({ ...report, warnings });
    return exitCodes.pass;
  }
  print(wasteText(flags.variant, report));
  remark('every figure, and each head by itself: --json', flags);
  return exitCodes.pass;
}

function readRows(text: string, seed: number) {
  if (text === 'all') return 'all' as const;
  const count = Number(text);
  if (Number.isSafeInteger(count) && count >= 1) return { count, seed };
  throw new AttnswapError('USAGE', `--rows is ${JSON.stringify(text)}, expected "all" or a whole number ≥ 1`);
}
