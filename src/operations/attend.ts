import type { PreparedKernel } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import type { DType, Shape } from '../contract/shape.ts';
import { writeOutput } from '../inputs/captured.ts';
import { findAdapter } from '../loading/adapter.ts';
import { kernelOf } from '../measure/plan-cells.ts';
import { findVariant, parseVariant } from '../variants/index.ts';
import { refusalOf } from '../variants/reference.ts';
import { judgeOutput } from '../variants/judge.ts';
import type { Judgement } from '../variants/judge.ts';
import { defaults } from './defaults.ts';
import { gatedInputs } from './gated-inputs.ts';
import { adaptersOf } from './options.ts';
import type { OperationOptions } from './options.ts';

export interface AttendOptions extends Pick<OperationOptions, 'adapters' | 'onWarning'> {
  /** As `name[.kernel][:key=value,…]`. */
  readonly variant: string;
  /** A safetensors file: q, k, v; optional mask, bias, sinks, gate.u, gate.w, gate.b; metadata scale, softcap. */
  readonly inputs: string;
  /** Where tensor `o` is written. */
  readonly out: string;
  /** @default 'onnx-cpu' */
  readonly backend?: string | undefined;
  /** @default as the file says */
  readonly causal?: boolean | undefined;
  /** @default 'f32' */
  readonly dtype?: DType | undefined;
  /** Random seed for a gate that the file lacks. @default 1 */
  readonly seed?: number | undefined;
}

/** An attention that was computed, agrees with the reference, and was written; or why the backend has no such. */
export type AttendRecord =
  | {
      readonly out: string;
      readonly shape: Shape;
      readonly kernel: string;
      readonly error: Judgement;
      readonly warnings: readonly string[];
    }
  | { readonly unsupported: string; readonly warnings: readonly string[] };

/**
 * One attention over the user's own tensors.
 * @throws WORKER_FAILED where it differs from the float64 reference: then nothing is written; UNKNOWN_VARIANT, UNKNOWN_BACKEND, INVALID_SAFETENSORS
 */
export async function attend(options: AttendOptions): Promise<AttendRecord> {
  const { backend = defaults.backend, variant: text, out } = options;
  const spec = parseVariant(text);
  const adapter = await findAdapter(adaptersOf(options), backend).load();
  const { kernel } = kernelOf(adapter, text, { backend });
  const { inputs, warnings } = await gatedInputs(options, spec);
  for (const warning of warnings) options.onWarning?.(`warning: ${warning}`);
  const variant = findVariant(spec.variant);
  const refusal = refusalOf(inputs, variant, spec.parameters);
  if (refusal !== undefined) return { unsupported: refusal, warnings };
  const request = { backend, variant: spec.variant, parameters: spec.parameters, kernel, inputs, purpose: 'latency' } as const;
  const prepared = await adapter.prepare(request);
  if ('unsupported' in prepared) return { unsupported: prepared.unsupported, warnings };
  const output = await runOnce(prepared);
  const error = judgeOutput(output, inputs, variant, spec.parameters, { rows: { count: 256, seed: 1 } });
  if (!error.ok) {
    const message = `${text} on ${backend} differs from the float64 reference: ${error.reason}; nothing was written`;
    throw new AttnswapError('WORKER_FAILED', message);
  }
  await writeOutput(out, output, inputs.shape, { variant: text, backend, causal: String(inputs.shape.causal) });
  return { out, shape: inputs.shape, kernel, error, warnings };
}

async function runOnce(prepared: PreparedKernel): Promise<Float32Array> {
  try {
    await prepared.run();
    return await prepared.output();
  } finally {
    await prepared.dispose();
  }
}
