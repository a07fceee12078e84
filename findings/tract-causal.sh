#!/usr/bin/env bash
# One would guess that tract refuses what it does not implement of attention, as it does for soft caps and boolean masks.
# Attention of opset 23 with is_causal and a past is run with the mask at the first key: a decoded token sees only the oldest key. MultiHeadAttention
# with unidirectional is run without any mask. Neither says so; is_causal without a past is right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check tract==0.23.9 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
cat > "$folder/run.py" <<'PY'
import sys
from importlib.metadata import version
import numpy as np, onnx, onnxruntime as ort, tract
from onnx import TensorProto, helper

stream = np.random.default_rng(0)
draw = lambda *shape: stream.standard_normal(shape, dtype=np.float32)


def first_outputs(operator, feeds, outputs, domain='', **attributes):
    """The first output in ONNX Runtime and in tract."""
    names = ['Q', 'K', 'V', 'attn_mask', 'past_key', 'past_value']
    inputs = [name if name in feeds else '' for name in names[:6 if 'past_key' in feeds else 3]]
    graph = helper.make_graph([helper.make_node(operator, inputs, list(outputs), domain=domain, **attributes)], 'attention',
                              [helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape) for name, value in feeds.items()],
                              [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 23), helper.make_opsetid('com.microsoft', 1)], ir_version=11)
    onnx.checker.check_model(model)
    path = sys.argv[1] + '/model.onnx'
    onnx.save(model, path)
    right = ort.InferenceSession(path, providers=['CPUExecutionProvider']).run(['Y'], feeds)[0]
    return right, tract.onnx().load(path).into_model().into_runnable().run(list(feeds.values()))[0].to_numpy()


def told(case, right, got):
    gap = float(np.abs(got - right).max())
    print(f'{case}: tract differs from ONNX Runtime by {gap:.2g}')
    return gap


print('tract', version('tract'), 'onnx', onnx.__version__, 'onnxruntime', ort.__version__)
square = {name: draw(1, 2, 5, 8) for name in 'QKV'}
one = {**{name: draw(1, 2, 1, 8) for name in 'QKV'}, 'past_key': draw(1, 2, 4, 8), 'past_value': draw(1, 2, 4, 8)}
grown = {'Y': [1, 2, 1, 8], 'present_key': [1, 2, 5, 8], 'present_value': [1, 2, 5, 8]}
packed = {name: draw(1, 5, 16) for name in 'QKV'}
behind = first_outputs('Attention', one, grown, is_causal=1)
multi = first_outputs('MultiHeadAttention', packed, {'Y': [1, 5, 16]}, 'com.microsoft', num_heads=2, unidirectional=1)
plain = first_outputs('MultiHeadAttention', packed, {'Y': [1, 5, 16]}, 'com.microsoft', num_heads=2)
wrong = [told('Attention, causal, 1 query behind 4 past keys', *behind), told('MultiHeadAttention, unidirectional', *multi)]
right = [
    told('  the value of the oldest past key instead', one['past_value'][:, :, :1], behind[1]),
    told('  MultiHeadAttention without a mask instead', plain[0], multi[1]),
    told('Attention with a past, not causal', *first_outputs('Attention', one, grown)),
    told('Attention, causal, no past', *first_outputs('Attention', square, {'Y': [1, 2, 5, 8]}, is_causal=1)),
]
raise SystemExit(0 if min(wrong) > 0.1 and max(right) < 1e-4 else 1)
PY
"$folder/venv/bin/python" "$folder/run.py" "$folder" || { echo 'this has changed' >&2; exit 1; }
