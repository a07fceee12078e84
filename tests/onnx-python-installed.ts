import './optional-runtimes.ts';
import type { Adapter } from '../src/contract/adapter.ts';

/** For tests: false where the backend runs here, else the reason and what mends it. */
export async function skipWithout(adapter: Adapter, backend: string): Promise<string | false> {
  const status = await adapter.status(backend);
  return status.available ? false : `${status.reason}; ${status.mend}`;
}

/** A `sitecustomize.py` for a Python whose OpenVINO has another device, with the CPU behind it: it says that it computes in f16, and may be lost. */
export function openvinoStandIn(device: 'NPU' | 'GPU', { callsUntilLost = Infinity } = {}): string {
  return `
import sys
sys.modules['openvino_telemetry'] = None
import openvino as ov
compile_model, get_property, of_compiled = ov.Core.compile_model, ov.Core.get_property, ov.CompiledModel.get_property
ov.Core.available_devices = property(lambda self: ['CPU', '${device}'])
ov.Core.get_property = lambda self, device, name: get_property(self, 'CPU', name)
ov.Core.compile_model = lambda self, model, device, config: compile_model(self, model, 'CPU', {**config, 'INFERENCE_PRECISION_HINT': 'f32'})
ov.CompiledModel.get_property = lambda self, name: ov.Type.f16 if name == 'INFERENCE_PRECISION_HINT' else of_compiled(self, name)
infer, calls = ov.InferRequest.infer, []
def until_lost(self, *given, **more):
    calls.append(1)
    if len(calls) > ${callsUntilLost === Infinity ? "float('inf')" : callsUntilLost}:
        raise RuntimeError('L0 zeFenceHostSynchronize result: ZE_RESULT_ERROR_DEVICE_LOST')
    return infer(self, *given, **more)
ov.InferRequest.infer = until_lost
`;
}
