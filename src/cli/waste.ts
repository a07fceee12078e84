import type { AdapterEntry } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import { findVariant, parseVariant } from '../variants/index.ts';
import { measureWaste } from '../waste/measure-waste.ts';
import type { WasteFigure } from '../waste/schema.ts';
import { gatedInputs } from './attend.ts';
import { exitCodes, print, printJson, remark } from './console.ts';
import type { CommonFlags, ExitCode } from './console.ts';
import { digits, percent } from '../text/figures.ts';
import { table } from '../text/layout.ts';

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
  const figures = Object.entries(flatten(report.overall)).filter((entry): entry is [string, WasteFigure] => entry[1] !== null);
  print(`${flags.variant} over ${report.rows.measured} of ${report.rows.of} rows`);
  print(table([['metric', 'value', 'low', 'high', 'of'], ...figures.map(([name, figure]) => wasteLine(name, figure))]));
  return exitCodes.pass;
}

function wasteLine(name: string, { value, low, high, denominator }: WasteFigure): string[] {
  const end = (bound: number | null) => (bound === null ? '–' : percent(bound));
  return [name, percent(value), end(low), end(high), `${digits(denominator.value)} ${denominator.name}`];
}

/** Nested figures under dotted names: wastedCompute.p95. */
function flatten(value: object, prefix = ''): Record<string, WasteFigure | null> {
  const parts = Object.entries(value).map(([key, part]: [string, unknown]) => {
    const name = prefix === '' ? key : `${prefix}.${key}`;
    return part === null || (typeof part === 'object' && 'value' in part)
      ? { [name]: part as WasteFigure | null }
      : flatten(part as object, name);
  });
  return Object.assign({}, ...parts) as Record<string, WasteFigure | null>;
}

function readRows(text: string, seed: number) {
  if (text === 'all') return 'all' as const;
  const count = Number(text);
  if (Number.isSafeInteger(count) && count >= 1) return { count, seed };
  throw new AttnswapError('USAGE', `--rows is ${JSON.stringify(text)}, expected "all" or a whole number ≥ 1`);
}
