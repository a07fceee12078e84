/** Every code an {@link AttnswapError} can carry. Codes are stable: scripts may match on them. */
export const errorCodes = [
  'USAGE',
  'UNKNOWN_VARIANT',
  'UNKNOWN_KERNEL',
  'UNKNOWN_BACKEND',
  'UNKNOWN_SUITE',
  'INVALID_PARAMETERS',
  'INVALID_SHAPE',
  'INVALID_INPUTS',
  'INVALID_SUITE',
  'INVALID_RUN',
  'INVALID_VERDICT',
  'INVALID_BASELINE',
  'INVALID_CALIBRATION',
  'UNKNOWN_BASELINE',
  'INVALID_SAFETENSORS',
  'INVALID_MODEL',
  'INVALID_DATA',
  'INVALID_MIGRATION',
  'INVALID_DEVICE',
  'INVALID_REPORT',
  'INVALID_STORE',
  'INVALID_QUERY',
  'INVALID_FLEET',
  'UNKNOWN_SUBMISSION',
  'FLEET_UNREACHABLE',
  'PUSH_FAILED',
  'UNSUPPORTED',
  'FILE_UNREADABLE',
  'FILE_UNWRITABLE',
  'WORKER_FAILED',
  'WORKER_PROTOCOL',
  'INTERRUPTED',
  'BUSY',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

/**
 * The one error class: `message` says what, where, got and expected; `hint` is a command or a setting to change.
 * Outcomes of a measurement (`unsupported`, `mismatch`, …) are values of a record, not errors.
 */
export class AttnswapError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: { hint?: string | undefined; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AttnswapError';
    this.code = code;
    this.hint = options.hint;
  }
}
