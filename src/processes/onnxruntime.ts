// The only place that imports onnxruntime-node: after its telemetry is off.
import './quiet-environment.ts';

export { InferenceSession, Tensor, env, listSupportedBackends } from 'onnxruntime-node';
