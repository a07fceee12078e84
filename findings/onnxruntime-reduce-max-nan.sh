#!/usr/bin/env bash
# One would guess that the maximum of numbers and a NaN is NaN in ONNX Runtime, as in NumPy and as in its own Max operator.
# ReduceMax and ReduceMin on the CPU give NaN only where it stands in one place or two of a row, the first among them. Elsewhere they pass over
# it, so that a check of a model's tensors by their extremes finds none. ReduceSum gives NaN wherever it stands.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
cat > "$folder/run.py" <<'PY'
import numpy as np, onnx, onnxruntime as ort
from onnx import TensorProto, helper

def run(operator, feeds, **attributes):
    types = {'float32': TensorProto.FLOAT, 'int64': TensorProto.INT64}
    inputs = [helper.make_tensor_value_info(name, types[str(value.dtype)], value.shape) for name, value in feeds.items()]
    outputs = [helper.make_tensor_value_info('y', TensorProto.FLOAT, [None])]
    graph = helper.make_graph([helper.make_node(operator, list(feeds), ['y'], **attributes)], 'g', inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=9)
    onnx.checker.check_model(model)
    return ort.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider']).run(None, feeds)[0]

print('onnxruntime', ort.__version__)
width = 64
rows = np.tile(np.arange(width, dtype='float32'), (width, 1))
rows[np.arange(width), np.arange(width)] = np.nan  # Row i has its NaN in column i.
axis = np.array([1])
seen = {}
for operator in ('ReduceMax', 'ReduceMin', 'ReduceSum'):
    seen[operator] = np.flatnonzero(np.isnan(run(operator, {'x': rows, 'axes': axis}, keepdims=0))).tolist()
    told = seen[operator] if len(seen[operator]) < width else 'all'
    print(f'{operator} of {width} numbers, one of them NaN: NaN where it is number {told}')
one, two = np.array([1, np.nan], 'float32'), np.array([np.nan, 2], 'float32')
both = run('Max', {'a': one, 'b': two})
print(f'Max of {one} and {two}: {both}; NumPy: {np.maximum(one, two)}')
lost = all(0 in seen[operator] and len(seen[operator]) <= 2 for operator in ('ReduceMax', 'ReduceMin'))
raise SystemExit(0 if lost and len(seen['ReduceSum']) == width and np.isnan(both).all() else 1)
PY
"$folder/venv/bin/python" "$folder/run.py" || { echo 'this has changed' >&2; exit 1; }
