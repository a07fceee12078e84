import type { ModelRequest } from '../../src/contract/adapter.ts';
import { quotaThreads } from '../../src/processes/cpu-quota.ts';
import * as ort from '../../src/processes/onnxruntime.ts';
import type { OnnxBackend } from './backends.ts';

/**
 * A session's options. Where memory is measured, nothing is pooled, so that a peak shows what a call needs; nor where a model is read, as runs of
 * many sizes would leave a pool of each. Where no latency is measured, threads that wait sleep instead of spinning: spinning counts as CPU time, and takes
 * processors from what is prepared beside a call whose memory is read. What fails is thrown, and not logged besides.
 */
export function sessionOptions(
  backend: OnnxBackend,
  request: { readonly purpose?: ModelRequest['purpose']; readonly threads?: number },
): ort.InferenceSession.SessionOptions {
  const { purpose = 'latency' } = request;
  const pooling = purpose === 'memory' || purpose === 'reading' ? { enableCpuMemArena: false, enableMemPattern: false } : {};
  const asWritten = purpose === 'reading' ? { graphOptimizationLevel: 'disabled' as const } : {};
  const idle = purpose === 'latency' ? {} : { extra: { session: { intra_op: { allow_spinning: '0' } } } };
  const count = request.threads ?? quotaThreads('core');
  const threads = count === undefined ? {} : { intraOpNumThreads: count };
  return { executionProviders: backend.providers, logSeverityLevel: 4, ...pooling, ...asWritten, ...idle, ...threads };
}

/** Opens a model by its path or its bytes. @throws what ONNX Runtime throws */
export function createSession(model: string | Uint8Array, options: ort.InferenceSession.SessionOptions): Promise<ort.InferenceSession> {
  return typeof model === 'string' ? ort.InferenceSession.create(model, options) : ort.InferenceSession.create(model, options);
}
