"""The backends of each runtime, without the runtime."""

select = 'and set --python or ATTNSWAP_ONNX_PYTHON to that Python'

# What OpenVINO calls each backend's device.
openvino_devices = {'openvino-cpu': 'CPU', 'openvino-gpu': 'GPU', 'openvino-npu': 'NPU'}

# The execution provider of each backend, and the package that brings it where onnxruntime itself does not.
providers = {
    'ort-cpu': ('CPUExecutionProvider', None),
    'ort-openvino': ('OpenVINOExecutionProvider', 'onnxruntime-ep-openvino'),
    'ort-qnn': ('QNNExecutionProvider', 'onnxruntime-qnn'),
    'ort-tensorrt-rtx': ('NvTensorRTRTXExecutionProvider', 'onnxruntime-ep-nv-tensorrt-rtx'),
    'ort-webgpu': ('WebGpuExecutionProvider', 'onnxruntime-ep-webgpu'),
    'ort-mlx': ('MLXExecutionProvider', 'onnxruntime-ep-mlx'),
    'ort-coreml': ('CoreMLExecutionProvider', None),
}

backends = {'openvino': list(openvino_devices), 'onnxruntime': list(providers)}
mend = {package: f'pip install {package} numpy, {select}' for package in backends}
