import type { AdapterEntry } from '../contract/adapter.ts';
import { dtypes } from '../contract/shape.ts';
import type { DType } from '../contract/shape.ts';
import { AttnswapError } from '../contract/errors.ts';
import { readCapturedInputs, writeOutput } from '../inputs/captured.ts';
import { drawGate } from '../inputs/gate.ts';
import { findAdapter, kernelOf } from '../measure/plan-cells.ts';
import { findVariant, parseVariant } from '../variants/index.ts';
import { judgeOutput } from '../variants/judge.ts';
import { exitCodes, print, printJson, remark, tell } from './console.ts';
import type { CommonFlags, ExitCode } from './console.ts';
import { digits } from '../text/figures.ts';

export interface AttendFlags extends CommonFlags {
  readonly variant: string;
  readonly backend: string;
  readonly inputs: string;
  readonly out: string;
  readonly causal?: boolean;
  readonly dtype?: string;
  readonly seed?: number;
}

/** One attention over the user's own tensors: writes `o`, says how far it is from the float64 reference. */
export async function attend(flags: AttendFlags, adapters: readonly AdapterEntry[]): Promise<ExitCode> {
  const spec = parseVariant(flags.variant);
  const adapter = await findAdapter(adapters, flags.backend).load();
  const { kernel } = kernelOf(adapter, flags.variant, { backend: flags.backend });
  const { inputs, warnings } = await gatedInputs(flags, spec);
  for (const warning of warnings) remark(`warning: ${warning}`, flags);
  const refusal = findVariant(spec.variant).refuses(spec.parameters, inputs.shape);
  const prepared =
    refusal === undefined
      ? await adapter.prepare({
          backend: flags.backend,
          variant: spec.variant,
          parameters: spec.parameters,
          kernel,
          inputs,
          purpose: 'latency',
        })
      : { unsupported: refusal };
  if ('unsupported' in prepared) {
    tell(`attnswap: unsupported: ${prepared.unsupported}`);
    return exitCodes.incomplete;
  }
  await prepared.run();
  const output = await prepared.output();
  await prepared.dispose();
  const judgement = judgeOutput(output, inputs, findVariant(spec.variant), spec.parameters, { rows: { count: 256, seed: 1 } });
  if (!judgement.ok) {
    throw new AttnswapError(
      'WORKER_FAILED',
      `${flags.variant} on ${flags.backend} differs from the float64 reference: ${judgement.reason}; nothing was written`,
    );
  }
  await writeOutput(flags.out, output, inputs.shape, {
    variant: flags.variant,
    backend: flags.backend,
    causal: String(inputs.shape.causal),
  });
  if (flags.json === true) printJson({ out: flags.out, shape: inputs.shape, kernel, error: judgement, warnings });
  else
    print(
      `${flags.out}: relative error ${digits(judgement.relative)} against float64 (budget ${digits(judgement.budget)}, ${judgement.rowsChecked} rows)`,
    );
  return exitCodes.pass;
}

/** Captured inputs with the gate that the variant wants: the file's, or one drawn from the seed. */
export async function gatedInputs(
  flags: { inputs: string; causal?: boolean; dtype?: string; seed?: number },
  spec: ReturnType<typeof parseVariant>,
) {
  const dtype = dtypes.find((name) => name === (flags.dtype ?? 'f32')) as DType | undefined;
  if (dtype === undefined) throw new AttnswapError('USAGE', `--dtype is ${flags.dtype}, expected one of ${dtypes.join(', ')}`);
  const captured = await readCapturedInputs(flags.inputs, { causal: flags.causal, dtype });
  const { inputs } = captured;
  const rank = spec.parameters['rank'];
  if (spec.variant !== 'gated') return captured;
  if (inputs.gate === undefined) {
    return {
      ...captured,
      inputs: { ...inputs, gate: drawGate(inputs.shape, typeof rank === 'number' ? rank : undefined, flags.seed ?? 1) },
    };
  }
  if (rank === undefined || rank === inputs.gate.rank) return captured;
  throw new AttnswapError('INVALID_PARAMETERS', `gated: rank is ${rank}, but ${flags.inputs} holds gates of rank ${inputs.gate.rank}`, {
    hint: 'leave rank out',
  });
}
