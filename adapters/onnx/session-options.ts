import type * as ort from 'onnxruntime-node';
import type { OnnxBackend } from './backends.ts';

/** A session's options; where memory is measured, nothing is pooled, so that a peak shows what a call needs. */
export function sessionOptions(
  backend: OnnxBackend,
  request: { readonly purpose?: 'latency' | 'memory'; readonly threads?: number },
): ort.InferenceSession.SessionOptions {
  const pooling = request.purpose === 'memory' ? { enableCpuMemArena: false, enableMemPattern: false } : {};
  const threads = request.threads === undefined ? {} : { intraOpNumThreads: request.threads };
  return { executionProviders: backend.providers, logSeverityLevel: 3, ...pooling, ...threads };
}
