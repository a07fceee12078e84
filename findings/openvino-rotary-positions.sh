#!/usr/bin/env bash
# One would guess that OpenVINO honors both forms of position_ids that com.microsoft RotaryEmbedding defines, and rotary_embedding_dim.
# A single number is the position of the first token; OpenVINO rotates every token by it, so that decoding token by token is right and a prompt
# is not. With rotary_embedding_dim it takes that for the width of a head and rotates all of the head. It compiles both without a word.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.1 numpy==2.4.6
cat > "$folder/run.py" <<'PY'
import numpy as np, onnx, onnxruntime as ort, openvino as ov
from onnx import TensorProto, helper

heads, width, places = 4, 16, 64
stream = np.random.default_rng(0)


def told(case, tokens, positions, turned, **attributes):
    """Largest difference per token between OpenVINO and ONNX Runtime; `turned` numbers of each head are rotated."""
    angles = np.arange(places)[:, None] * 10000.0 ** (-np.arange(turned // 2) / (turned // 2))
    feeds = {'x': stream.standard_normal((1, tokens, heads * width), dtype=np.float32), 'positions': np.array(positions),
             'cos': np.cos(angles).astype(np.float32), 'sin': np.sin(angles).astype(np.float32)}
    node = helper.make_node('RotaryEmbedding', list(feeds), ['y'], domain='com.microsoft', interleaved=0, num_heads=heads, **attributes)
    types = {'float32': TensorProto.FLOAT, 'int64': TensorProto.INT64}
    inputs = [helper.make_tensor_value_info(name, types[str(value.dtype)], value.shape) for name, value in feeds.items()]
    graph = helper.make_graph([node], 'rotary', inputs, [helper.make_tensor_value_info('y', TensorProto.FLOAT, feeds['x'].shape)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 20), helper.make_opsetid('com.microsoft', 1)], ir_version=10)
    onnx.checker.check_model(model)
    model = model.SerializeToString()
    right = ort.InferenceSession(model, providers=['CPUExecutionProvider']).run(None, feeds)[0]
    core = ov.Core()
    compiled = core.compile_model(core.read_model(model), 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})
    gaps = np.abs(compiled(feeds)[compiled.output(0)] - right).max(axis=(0, 2))
    print(f"{case}: tokens differ by {', '.join(f'{gap:.2g}' for gap in gaps)}")
    return [bool(gap > 0.1) for gap in gaps]


print('openvino', ov.__version__, 'onnxruntime', ort.__version__)
seen = [
    told('positions [[7, 8, 9, 10]]', 4, [[7, 8, 9, 10]], width),
    told('first position [7]', 4, [7], width),
    told('first position [7], 1 token', 1, [7], width),
    told('positions [[7, 8, 9, 10]], 8 of 16 numbers rotated', 4, [[7, 8, 9, 10]], 8, rotary_embedding_dim=8),
]
raise SystemExit(0 if seen == [[False] * 4, [False, True, True, True], [False], [True] * 4] else 1)
PY
"$folder/venv/bin/python" "$folder/run.py" || { echo 'this has changed' >&2; exit 1; }
