#!/usr/bin/env bash
# One would guess that the attribute scale of com.microsoft RotaryEmbedding ("Custom scale will be used if specified") scales something, or is refused.
# On the CPU it does nothing: neither the outputs nor the positions are scaled, and half and ten times give the same numbers as 1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
cat > "$folder/run.py" <<'PY'
import numpy as np, onnx, onnxruntime as ort
from onnx import TensorProto, helper

angles = np.arange(32)[:, None] * 10000.0 ** (-np.arange(8) / 8)
feeds = {'x': np.random.default_rng(0).standard_normal((1, 5, 32), dtype=np.float32), 'positions': np.arange(5)[None],
         'cos': np.cos(angles).astype(np.float32), 'sin': np.sin(angles).astype(np.float32)}


def rotated(**attributes):
    node = helper.make_node('RotaryEmbedding', list(feeds), ['y'], domain='com.microsoft', **attributes)
    types = {'float32': TensorProto.FLOAT, 'int64': TensorProto.INT64}
    inputs = [helper.make_tensor_value_info(name, types[str(value.dtype)], value.shape) for name, value in feeds.items()]
    graph = helper.make_graph([node], 'rotary', inputs, [helper.make_tensor_value_info('y', TensorProto.FLOAT, [1, 5, 32])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 20), helper.make_opsetid('com.microsoft', 1)], ir_version=10)
    onnx.checker.check_model(model)
    return ort.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider']).run(None, feeds)[0]


print('onnxruntime', ort.__version__)
plain = rotated()
gaps = {scale: float(np.abs(rotated(scale=scale) - plain).max()) for scale in (0.5, 10.0)}
other = float(np.abs(rotated(interleaved=1) - plain).max())
for scale, gap in gaps.items():
    print(f'scale {scale}: outputs differ from those without by {gap:.2g}')
print(f'interleaved 1: by {other:.2g}')
raise SystemExit(0 if set(gaps.values()) == {0.0} and other > 0.1 else 1)
PY
"$folder/venv/bin/python" "$folder/run.py" || { echo 'this has changed' >&2; exit 1; }
