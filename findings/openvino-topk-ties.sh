#!/usr/bin/env bash
# One would guess that OpenVINO runs an ONNX TopK as ONNX defines it: of equal values the one with the lower index comes first.
# Its ONNX frontend reads TopK as the operator's unstable form. On the CPU, a row with many equal values gives the right values, and
# other indices than ONNX Runtime, in no order. Setting `stable` on the operator by hand mends it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.1 numpy==2.4.6
cat > "$folder/run.py" <<'PY'
import numpy as np, onnx, onnxruntime as ort, openvino as ov
from onnx import TensorProto, helper, numpy_helper

def indices(x, k):
    graph = helper.make_graph([helper.make_node('TopK', ['x', 'k'], ['values', 'indices'])], 'ties',
                              [helper.make_tensor_value_info('x', TensorProto.FLOAT, x.shape)],
                              [helper.make_tensor_value_info('values', TensorProto.FLOAT, [1, k]), helper.make_tensor_value_info('indices', TensorProto.INT64, [1, k])],
                              [numpy_helper.from_array(np.array([k]), 'k')])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 20)], ir_version=10)
    onnx.checker.check_model(model)
    told = model.SerializeToString()
    core, found = ov.Core(), []
    for stable in (False, True):
        read = core.read_model(told)
        for node in read.get_ops():
            if node.get_type_name() == 'TopK' and stable:
                node.set_attribute('stable', True)
        compiled = core.compile_model(read, 'CPU')
        found.append(compiled({'x': x})[compiled.output(1)][0].tolist())
    return ort.InferenceSession(told, providers=['CPUExecutionProvider']).run(['indices'], {'x': x})[0][0].tolist(), *found

print('openvino', ov.__version__, 'onnxruntime', ort.__version__)
right, plain, stable = indices(np.array([[1, 2, 2, 2, 1, 2, 0, 2] * 40], 'float32'), 30)
print(f'indices of the 30 largest of [1, 2, 2, 2, 1, 2, 0, 2], forty times\n  ONNX Runtime      {right}\n  OpenVINO          {plain}\n  OpenVINO, stable  {stable}')
raise SystemExit(0 if plain != right and stable == right else 1)
PY
"$folder/venv/bin/python" "$folder/run.py" || { echo 'this has changed' >&2; exit 1; }
