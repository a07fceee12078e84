import type { KernelRequest } from '../../src/contract/adapter.ts';
import { quotaThreads } from '../../src/processes/cpu-quota.ts';

/**
 * What TensorFlow's C library reads from the environment when it starts, and never again. With oneDNN its allocator keeps
 * what is freed, so that a warm call shows no peak: for `memory` it is asked to use the system's.
 */
export function setTensorflowEnvironment({ purpose, threads }: Pick<KernelRequest, 'purpose' | 'threads'>): void {
  // Its remarks on start-up are none of the reader's business; warnings and errors stay.
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '1';
  const count = threads ?? quotaThreads('processor');
  if (count !== undefined) process.env['TF_NUM_INTRAOP_THREADS'] ??= String(count);
  if (purpose === 'memory') process.env['TF_ONEDNN_USE_SYSTEM_ALLOCATOR'] ??= '1';
}
