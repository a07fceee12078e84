import { AttnswapError } from '../contract/errors.ts';
import type { DType } from '../contract/shape.ts';
import { readCapturedInputs } from '../inputs/captured.ts';
import type { CapturedInputs } from '../inputs/captured.ts';
import { drawGate } from '../inputs/gate.ts';
import { findVariant } from '../variants/index.ts';
import type { VariantSpec } from '../variants/index.ts';
import { defaults } from './defaults.ts';

interface CapturedOptions {
  readonly inputs: string;
  readonly causal?: boolean | undefined;
  readonly dtype?: DType | undefined;
  readonly seed?: number | undefined;
}

/** Captured inputs with the gate that the variant wants: the file's, or one drawn from the seed. */
export async function gatedInputs(options: CapturedOptions, spec: VariantSpec): Promise<CapturedInputs> {
  const captured = await readCapturedInputs(options.inputs, { causal: options.causal, dtype: options.dtype ?? 'f32' });
  const { inputs } = captured;
  const rank = spec.parameters['rank'];
  if (findVariant(spec.variant).takesGate !== true) return captured;
  if (inputs.gate === undefined) {
    const gate = drawGate(inputs.shape, typeof rank === 'number' ? rank : undefined, options.seed ?? defaults.seed);
    return { ...captured, inputs: { ...inputs, gate } };
  }
  if (rank === undefined || rank === inputs.gate.rank) return captured;
  throw new AttnswapError(
    'INVALID_PARAMETERS',
    `gated: rank is ${rank}, but ${options.inputs} contains gates of rank ${inputs.gate.rank}`,
    {
      hint: 'omit rank',
    },
  );
}
