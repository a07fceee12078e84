import { AttnswapError } from '../contract/errors.ts';
import type { AttentionInputs } from '../contract/inputs.ts';
import type { Shape } from '../contract/shape.ts';
import { madeOnce } from '../processes/kept.ts';

/** Where inputs come from, as suites and the command line write it. */
export type InputsKind = 'gaussian' | 'calibrated' | `captured:${string}`;

export interface InputsRequest {
  /** An {@link InputsKind}; anything else is refused. */
  readonly kind: string;
  /** For captured inputs: what the file must hold, and the dtype and causality to read it with. */
  readonly shape: Shape;
  /** A whole number ≥ 0. */
  readonly seed: number;
  /** Of the gate; a quarter of headDim where absent and none is captured. */
  readonly gateRank?: number;
  readonly wantsGate: boolean;
}

export interface CreatedInputs {
  readonly inputs: AttentionInputs;
  /** What a reader of the figures should know, such as a file whose metadata says otherwise. */
  readonly warnings: readonly string[];
}

const capturedPrefix = 'captured:';

/** Whether `kind` names inputs: `gaussian`, `calibrated` or `captured:<file>`. */
export function isInputsKind(kind: string): kind is InputsKind {
  return kind === 'gaussian' || kind === 'calibrated' || (kind.startsWith(capturedPrefix) && kind.length > capturedPrefix.length);
}

/** Whether inputs follow from their kind, shape and seed alone. */
export function isDrawn(kind: string): boolean {
  return kind === 'gaussian' || kind === 'calibrated';
}

/**
 * Draws or reads the inputs of one cell, with a gate where the variant wants one (the file's own before a drawn one). Workers draw once for all of them.
 * @throws USAGE for an unknown kind, INVALID_PARAMETERS for a bad seed or a rank that differs from captured gates',
 * INVALID_SHAPE for an impossible shape or one that differs from the file's, and what reading a captured file throws
 */
export async function createInputs(request: InputsRequest): Promise<CreatedInputs> {
  if (!Number.isSafeInteger(request.seed) || request.seed < 0) {
    throw new AttnswapError('INVALID_PARAMETERS', `inputs: seed is ${request.seed}, expected a whole number ≥ 0`);
  }
  const { inputs, warnings } = await withoutGate(request);
  const { gate: captured, ...ungated } = inputs;
  if (!request.wantsGate) return { inputs: ungated, warnings };
  if (captured === undefined) {
    const { drawGate } = await import('./gate.ts');
    return { inputs: { ...ungated, gate: drawGate(request.shape, request.gateRank, request.seed) }, warnings };
  }
  if (request.gateRank === undefined || request.gateRank === captured.rank) return { inputs, warnings };
  throw new AttnswapError(
    'INVALID_PARAMETERS',
    `gated: rank is ${request.gateRank}, but ${request.kind} contains gates of rank ${captured.rank}`,
    {
      hint: `omit rank, or set rank=${captured.rank}`,
    },
  );
}

/** What draws is loaded only where no other process has drawn. */
async function withoutGate({ kind, shape, seed }: InputsRequest): Promise<CreatedInputs> {
  const drawn = { kind, shape, seed };
  if (kind === 'gaussian')
    return { inputs: await madeOnce(drawn, async () => (await import('./gaussian.ts')).drawGaussian(shape, seed)), warnings: [] };
  if (kind === 'calibrated')
    return { inputs: await madeOnce(drawn, async () => (await import('./calibrated.ts')).drawCalibrated(shape, seed)), warnings: [] };
  if (!isInputsKind(kind)) {
    throw new AttnswapError('USAGE', `inputs: unknown kind ${JSON.stringify(kind)}, expected gaussian, calibrated or captured:<file>`);
  }
  const { readCapturedInputs } = await import('./captured.ts');
  const captured = await readCapturedInputs(kind.slice(capturedPrefix.length), shape);
  requireShape(kind, captured.inputs.shape, shape);
  return captured;
}

function requireShape(kind: string, got: Shape, expected: Shape): void {
  for (const size of ['batch', 'heads', 'kvHeads', 'queries', 'keys', 'headDim'] as const) {
    if (got[size] === expected[size]) continue;
    throw new AttnswapError('INVALID_SHAPE', `${kind}: ${size} is ${got[size]}, expected ${expected[size]}`, {
      hint: `set ${size} to ${got[size]}, or use another file`,
    });
  }
}
