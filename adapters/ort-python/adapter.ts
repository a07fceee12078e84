import type { Adapter } from '../../src/contract/adapter.ts';
import { graphWorker } from '../onnx/python/graph-worker.ts';

const untested = (what: string) => `a Python with onnxruntime and ${what} (untested)`;

/** PyPI's ONNX Runtime, in a Python process of its own: the ONNX models of onnx-cpu on its execution providers, built in or as plug-ins. */
export const adapter: Adapter = graphWorker({
  name: 'ort-python',
  package: 'onnxruntime',
  cpu: 'ort-cpu',
  needs: {
    'ort-cpu': 'a Python with ONNX Runtime: `pip install onnxruntime numpy` (in a checkout: `npm run setup:openvino`)',
    'ort-openvino': 'the same, and `pip install onnxruntime-ep-openvino`',
    'ort-qnn': untested('`onnxruntime-qnn`, and a Qualcomm NPU'),
    'ort-tensorrt-rtx': untested('`onnxruntime-ep-nv-tensorrt-rtx`, and an NVIDIA RTX GPU'),
    'ort-webgpu': untested('`onnxruntime-ep-webgpu`, and a GPU driver'),
    'ort-mlx': untested('`onnxruntime-ep-mlx`, on Apple silicon'),
    'ort-coreml': 'a Python with onnxruntime, on a Mac (untested)',
  },
});
