import type { Adapter, KernelDescription } from '../../src/contract/adapter.ts';
import { findVariant } from '../../src/variants/index.ts';
import { graphWorker } from '../onnx/python/graph-worker.ts';

/** Where its causal flag serves, the operator skips what causality hides; with a mask it computes all pairs. */
const scoredPairs: KernelDescription['scoredPairs'] = (parameters, shape) =>
  shape.queries === shape.keys
    ? findVariant('dense').cost(parameters, shape).scoredPairs
    : shape.batch * shape.heads * shape.queries * shape.keys;

/** OpenVINO, in a Python process of its own: the ONNX models of onnx-cpu, and OpenVINO's own attention operator. */
export const adapter: Adapter = graphWorker({
  name: 'openvino',
  package: 'openvino',
  cpu: 'openvino-cpu',
  needs: {
    'openvino-cpu': 'a Python with OpenVINO: `pip install openvino numpy` (in a checkout: `npm run setup:openvino`)',
    'openvino-gpu': 'the same, an Intel GPU and its OpenCL driver (untested)',
    'openvino-npu': 'the same, an Intel NPU and its driver; f16 and fixed shapes only (untested)',
  },
  own: [{ variant: 'dense', kernel: 'sdpa', summary: "OpenVINO's own ScaledDotProductAttention", scoredPairs }],
  lacking: {
    'dense.fused': 'OpenVINO takes GroupQueryAttention only with past keys and values',
    'linear.fused': 'OpenVINO has no LinearAttention operator',
    'linear.standard': 'OpenVINO has no LinearAttention operator',
    'linear.chunked': 'OpenVINO takes no Scan whose body reads tensors from outside of it',
  },
});
