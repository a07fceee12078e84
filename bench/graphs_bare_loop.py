"""An ONNX kernel in plain OpenVINO or ONNX Runtime: answers each number of calls on standard input with their nanoseconds. graphs_bare_loop.py <runtime> <model> <n> <threads>"""
import sys
import time

sys.modules['openvino_telemetry'] = None  # As in the worker: it would send an event.

import numpy as np

runtime, path, n, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
generator = np.random.default_rng(1)
feeds = {name: generator.standard_normal((1, 8, n, 64), np.float32) for name in ('query', 'key', 'value')}


def openvino():
    import openvino as ov

    core = ov.Core()
    model = core.read_model(path)
    model.reshape({name: values.shape for name, values in feeds.items()})
    settings = {'PERFORMANCE_HINT': 'LATENCY', 'INFERENCE_PRECISION_HINT': 'f32', 'INFERENCE_NUM_THREADS': threads}
    request = core.compile_model(model, 'CPU', settings).create_infer_request()
    for name, values in feeds.items():
        request.set_tensor(name, ov.Tensor(values, shared_memory=True))
    return lambda: request.infer(share_outputs=True)


def onnxruntime():
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(path, options, providers=['CPUExecutionProvider'])
    binding = session.io_binding()
    for name, values in feeds.items():
        binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(values))
    binding.bind_output('output')
    return lambda: session.run_with_iobinding(binding)


call = {'openvino': openvino, 'onnxruntime': onnxruntime}[runtime]()
for line in sys.stdin:
    calls = int(line)
    start = time.perf_counter_ns()
    for _ in range(calls):
        call()
    print(time.perf_counter_ns() - start, flush=True)
