import { readFileSync } from 'node:fs';
import { hostname, release } from 'node:os';

/** Variables that change how fast code runs, what it allocates, or which device it runs on. */
const names = /^(LD_PRELOAD|LD_LIBRARY_PATH|GLIBC_TUNABLES|NODE_OPTIONS|CUDA_VISIBLE_DEVICES|(MALLOC|OMP|TF|VK)_.*)$/;

/** What a process is measured in beyond what a host's fingerprint says: figures of two processes are only the same figure where all of it agrees. */
export function surroundings(env: NodeJS.ProcessEnv = process.env): object {
  const environment = Object.entries(env)
    .filter(([name]) => names.test(name))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return { environment, kernel: release(), hostname: hostname(), processors: allowedProcessors() };
}

/** `0-1`; null where the system does not say. */
function allowedProcessors(): string | null {
  try {
    return /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? null;
  } catch {
    return null;
  }
}
