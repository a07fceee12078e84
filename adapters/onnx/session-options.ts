import type { ModelRequest } from '../../src/contract/adapter.ts';
import type * as ort from 'onnxruntime-node';
import type { OnnxBackend } from './backends.ts';

/** A session's options; where memory is measured, nothing is pooled, so that a peak shows what a call needs. What fails is thrown, and not logged besides. */
export function sessionOptions(
  backend: OnnxBackend,
  request: { readonly purpose?: ModelRequest['purpose']; readonly threads?: number },
): ort.InferenceSession.SessionOptions {
  const pooling = request.purpose === 'memory' ? { enableCpuMemArena: false, enableMemPattern: false } : {};
  const asWritten = request.purpose === 'reading' ? { graphOptimizationLevel: 'disabled' as const } : {};
  const threads = request.threads === undefined ? {} : { intraOpNumThreads: request.threads };
  return { executionProviders: backend.providers, logSeverityLevel: 4, ...pooling, ...asWritten, ...threads };
}
