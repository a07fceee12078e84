import { fileURLToPath } from 'node:url';
import type { Unsupported } from '../../../src/contract/adapter.ts';
import type { Training, TrainRequest } from '../../../src/contract/training.ts';
import { ownModule } from '../../../src/processes/own-module.ts';
import { workerAdapter } from '../../../src/protocol/worker-adapter.ts';

const script = fileURLToPath(ownModule('./worker', import.meta.url));

/** Begins a training in a process of its own, so that nothing that becomes of tfjs there is of consequence here. @throws WORKER_FAILED, WORKER_PROTOCOL */
export async function train(request: TrainRequest): Promise<Training | Unsupported> {
  const { backend, threads } = request;
  if (backend === 'tfjs-webgpu')
    return { unsupported: 'tfjs-webgpu: the trainer selects keys by scores that it reads synchronously, which WebGPU does not allow' };
  const command = [process.execPath, script, backend, ...(threads === undefined ? [] : [String(threads)])] as const;
  return workerAdapter({ name: 'tfjs', backends: [backend], kernels: [], trains: true, command: [...command], mend: '' }).train!(request);
}
