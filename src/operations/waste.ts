import type { KeyGroup } from '../contract/key-groups.ts';
import { AttnswapError } from '../contract/errors.ts';
import { findVariant, parseVariant } from '../variants/index.ts';
import { refusalOf } from '../variants/reference.ts';
import { measureWasteInThreads } from '../waste/in-threads.ts';
import type { WasteReport } from '../waste/schema.ts';
import { defaults } from './defaults.ts';
import { gatedInputs } from './gated-inputs.ts';
import type { OperationOptions } from './options.ts';

export interface WasteOptions extends Pick<OperationOptions, 'onWarning'> {
  /** A safetensors file: q, k, v; optional mask, bias and soft cap. */
  readonly inputs: string;
  /** Variant to measure. @default 'dense' */
  readonly variant?: string | undefined;
  /** @default as the file says */
  readonly causal?: boolean | undefined;
  /** Number of rows to measure, sampled over heads and positions, or all. @default 512 */
  readonly rows?: number | 'all' | undefined;
  /** Keys that come from different sources, to be told apart. @default none */
  readonly groups?: readonly KeyGroup[] | undefined;
  /** Random seed for sampling. @default 1 */
  readonly seed?: number | undefined;
}

export interface WasteRecord extends WasteReport {
  readonly warnings: readonly string[];
}

/**
 * Wasted attention of one variant over the user's own tensors, overall and by head.
 * @throws UNKNOWN_VARIANT, INVALID_PARAMETERS, INVALID_SAFETENSORS, UNSUPPORTED, FILE_UNREADABLE; USAGE for groups that do not fit the keys
 */
export async function waste(options: WasteOptions): Promise<WasteRecord> {
  const { rows = defaults.rows, seed = defaults.seed } = options;
  const spec = parseVariant(options.variant ?? 'dense');
  const { inputs, warnings } = await gatedInputs(options, spec);
  for (const warning of warnings) options.onWarning?.(`warning: ${warning}`);
  const variant = findVariant(spec.variant);
  const refusal = refusalOf(inputs, variant, spec.parameters);
  if (refusal !== undefined) throw new AttnswapError('UNSUPPORTED', refusal);
  if (inputs.sinks !== undefined)
    throw new AttnswapError(
      'UNSUPPORTED',
      `${options.inputs}: has attention sinks, for which waste is not defined: part of each row's weight goes to no key`,
    );
  const found = await measureWasteInThreads({
    inputs,
    inputsName: `captured:${options.inputs}`,
    variant,
    parameters: spec.parameters,
    dense: findVariant('dense'),
    rows: rows === 'all' ? 'all' : { count: rows, seed },
    groups: options.groups,
  });
  return { ...found, warnings };
}
