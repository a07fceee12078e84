#!/usr/bin/env bash
# One would guess that OpenVINO honors every attribute of an attention operator in an ONNX model, or refuses the model.
# It reads com.microsoft Attention without its `scale`: the model compiles without a word, and the outputs are those of the default 1/sqrt(d).
# ONNX Runtime uses the attribute; OpenVINO itself does so for MultiHeadAttention.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.1 numpy==2.4.6
cat > "$folder/run.py" <<'PY'
import numpy as np, onnxruntime as ort, openvino as ov
from onnx import TensorProto, helper

rng = np.random.default_rng(0)
draw = lambda *shape: rng.standard_normal(shape, dtype='float32')

def run(operator, feeds, **attributes):
    node = helper.make_node(operator, list(feeds), ['o'], domain='com.microsoft', num_heads=2, **attributes)
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape) for name, value in feeds.items()]
    graph = helper.make_graph([node], 'g', inputs, [helper.make_tensor_value_info('o', TensorProto.FLOAT, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 20), helper.make_opsetid('com.microsoft', 1)], ir_version=10).SerializeToString()
    core = ov.Core()
    compiled = core.compile_model(core.read_model(model), 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})
    return ort.InferenceSession(model, providers=['CPUExecutionProvider']).run(None, feeds)[0], compiled(feeds)[compiled.output(0)]

print('openvino', ov.__version__, 'onnxruntime', ort.__version__)
gap = lambda a, b: float(np.abs(a - b).max())
feeds = {'x': draw(2, 6, 16), 'w': draw(16, 48), 'b': draw(48)}
right, got = run('Attention', feeds, scale=0.9)
_, plain = run('Attention', feeds)
multi = run('MultiHeadAttention', {name: draw(2, 6, 16) for name in 'qkv'}, scale=0.9)
print(f'Attention with scale 0.9: OpenVINO differs from ONNX Runtime by {gap(right, got):.2g}, from itself without scale by {gap(got, plain):.2g}')
print(f'MultiHeadAttention with scale 0.9: by {gap(*multi):.2g}')
raise SystemExit(0 if gap(right, got) > 0.1 and gap(got, plain) == 0 and gap(*multi) < 1e-4 else 1)
PY
"$folder/venv/bin/python" "$folder/run.py" || { echo 'this has changed' >&2; exit 1; }
