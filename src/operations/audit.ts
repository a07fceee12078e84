import { auditRounds } from '../compare/audit-rounds.ts';
import type { AuditArm } from '../compare/audit-rounds.ts';
import { auditSchemaName } from '../contract/audit.ts';
import type { AuditRecord } from '../contract/audit.ts';
import { AttnswapError } from '../contract/errors.ts';
import { canTell, expectedSlopes } from '../decide/judge-audit.ts';
import { alone } from '../measure/alone.ts';
import { callableSubject, kernelSubject } from './audit-kernel.ts';
import { modelSubject } from './audit-model.ts';
import type { AuditOptions, AuditSubject } from './audit-subject.ts';
import { defaults } from './defaults.ts';
import { describeRun } from './head.ts';
import { adaptersOf } from './options.ts';

export type { AuditOptions } from './audit-subject.ts';

/** Shares of the keys that the knob leaves. */
const shares = [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1];
/** Lengths beside the longest one, as shares of it. */
const lengthShares = [1 / 8, 1 / 4, 1 / 2, 1];
/** Tokens of the call that shows what every call takes. */
const overheadLength = 16;
const timeoutSeconds = 300;

/**
 * Whether a kernel, a model or a Python function skips what it does not attend to: time and memory over the knob and over the length, in
 * rounds, and what their slopes say.
 * @throws USAGE where nothing can be told; UNKNOWN_VARIANT, UNKNOWN_KERNEL, UNKNOWN_BACKEND, INVALID_PARAMETERS, INVALID_MODEL; UNSUPPORTED,
 * WORKER_FAILED where a setting cannot be measured; BUSY, INTERRUPTED
 */
export async function audit(options: AuditOptions): Promise<AuditRecord> {
  const subject = await subjectOf(options);
  try {
    return await auditSubject(subject, options);
  } finally {
    await subject.dispose?.();
  }
}

function subjectOf(options: AuditOptions): Promise<AuditSubject> {
  const { kernel, callable } = options;
  if (callable !== undefined) return callableSubject(options, callable);
  if (kernel === undefined) throw new AttnswapError('USAGE', 'nothing to audit: name a kernel, an ONNX model or a --callable');
  const adapters = adaptersOf(options);
  return kernel.endsWith('.onnx') ? modelSubject(kernel, options, adapters) : kernelSubject(options, adapters);
}

async function auditSubject(subject: AuditSubject, options: AuditOptions): Promise<AuditRecord> {
  const { length = defaults.auditLength, rounds = defaults.auditRounds, seed = defaults.seed, threads = defaults.auditThreads } = options;
  const { adapters, armAt, dispose: _dispose, knob, ...described } = subject;
  const startedAt = new Date().toISOString();
  const arms = await armsOf(subject, length, options.values);
  const { tool, command, host, backends, warnings } = await describeRun([subject.backend], adapters, options);
  const measured = await alone(options, async (signal) =>
    auditRounds({
      arms,
      overhead: (await armAt(knob === null ? null : knob.value, Math.min(overheadLength, length))).arm,
      length,
      knob: knob?.value ?? null,
      onProcessors: computesOnProcessors(subject.backend, backends[subject.backend]),
      rounds,
      sampleSeconds: options.sampleSeconds ?? 0.3,
      checked: options.unchecked !== true,
      seed,
      timeoutSeconds,
      signal,
      progress: (done, total, what) => options.onProgress?.({ what, done, total }),
    }),
  );
  const { points, overhead, judgement } = measured;
  const { findings, verdict, exitCode, reason } = judgement;
  return {
    schema: auditSchemaName,
    tool,
    command,
    startedAt,
    endedAt: new Date().toISOString(),
    host,
    ...described,
    knob: knob === null ? null : { name: knob.parameter, value: knob.value },
    length,
    threads,
    seed,
    checked: options.unchecked !== true && subject.kind !== 'model',
    overhead,
    points,
    findings,
    verdict,
    exitCode,
    summary: `${described.name} on ${described.backend}: ${reason}.`,
    warnings: [...warnings, ...measured.warnings],
  };
}

/** The knob at the longest length, then the lengths at the knob's own value; each setting once. @throws USAGE where neither can tell */
async function armsOf({ armAt, knob, name }: AuditSubject, length: number, given?: readonly number[]): Promise<AuditArm[]> {
  if (given !== undefined && knob === null)
    throw new AttnswapError('USAGE', `${name} has no parameter that controls how much is attended to, so --values does not apply`);
  const values = knob === null ? [] : (given ?? shares.map((share) => knob.leaving(share, length)));
  const lengths = lengthShares.map((share) => Math.max(1, Math.round(share * length)));
  const own = knob?.value ?? null;
  const wanted = [...values.map((value) => [value, length] as const), ...lengths.map((each) => [own, each] as const)];
  const distinct = new Map(wanted.map((setting) => [JSON.stringify(setting), setting]));
  const arms: AuditArm[] = [];
  for (const [value, at] of distinct.values()) {
    const { arm, ...work } = await armAt(value, at);
    arms.push({ arm, setting: { knob: value, length: at, ...work } });
  }
  if (knob !== null) return arms;
  const settings = arms.map(({ setting }) => setting);
  if (canTell(expectedSlopes(settings, 'length'))) return arms;
  throw new AttnswapError('USAGE', `${name} skips nothing by its definition, so there is nothing to audit`, {
    hint: "name a variant that skips: attnswap audit 'window:w=256'",
  });
}

/** Where it does, the time of the processors is what a call takes, whatever else the machine does. */
function computesOnProcessors(backend: string, status: unknown): boolean {
  const device = typeof status === 'object' && status !== null && 'device' in status ? String(status.device) : '';
  return !/gpu|cuda|nvidia/i.test(`${backend} ${device}`);
}
