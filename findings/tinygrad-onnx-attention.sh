#!/usr/bin/env bash
# One would guess that a runtime that accepts every input and attribute of ONNX's Attention computes what the standard defines.
# tinygrad pairs grouped heads in turn (query head i with key head i modulo 2, not with i // 2), aligns the causal mask to the first key when there
# is a past, so that a decoded token sees only the oldest key, and applies the soft cap after the mask, so that masked keys are seen again. It says nothing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check tinygrad==0.14.0 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
cat > "$folder/run.py" <<'PY'
import sys
from importlib.metadata import version
import numpy as np, onnx, onnxruntime as ort
from onnx import TensorProto, helper
from tinygrad import Tensor
from tinygrad.nn.onnx import OnnxRunner

stream = np.random.default_rng(0)
draw = lambda *shape: stream.standard_normal(shape, dtype=np.float32)


def both(feeds, **attributes):
    """Outputs of ONNX Runtime and of tinygrad."""
    names = ['Q', 'K', 'V', 'attn_mask', 'past_key', 'past_value']
    inputs = [name if name in feeds else '' for name in names]
    outputs = ['Y', *(['present_key', 'present_value'] if 'past_key' in feeds else [])]
    graph = helper.make_graph([helper.make_node('Attention', inputs, outputs, **attributes)], 'attention',
                              [helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape) for name, value in feeds.items()],
                              [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * 4) for name in outputs])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 23)], ir_version=11)
    onnx.checker.check_model(model)
    path = sys.argv[1] + '/model.onnx'
    onnx.save(model, path)
    right = ort.InferenceSession(path, providers=['CPUExecutionProvider']).run(['Y'], feeds)[0]
    return right, OnnxRunner(path)({name: Tensor(value) for name, value in feeds.items()})['Y'].numpy()


def told(case, right, got):
    gap = float(np.abs(got - right).max())
    print(f'{case}: tinygrad differs from ONNX Runtime by {gap:.2g}')
    return gap


print('tinygrad', version('tinygrad'), 'onnx', onnx.__version__, 'onnxruntime', ort.__version__)
q, k, v = draw(1, 4, 5, 8), draw(1, 2, 5, 8), draw(1, 2, 5, 8)
grouped = both(dict(Q=q, K=k, V=v))
swapped = both(dict(Q=q[:, [0, 2, 1, 3]], K=k, V=v))[0][:, [0, 2, 1, 3]]
past = dict(Q=draw(1, 2, 1, 8), K=draw(1, 2, 1, 8), V=draw(1, 2, 1, 8), past_key=draw(1, 2, 4, 8), past_value=draw(1, 2, 4, 8))
decoded = both(past, is_causal=1)
q, k, v = (draw(1, 2, 5, 8) for _ in range(3))
capped = both(dict(Q=q, K=k, V=v), is_causal=1, softcap=0.5)
seen = [
    told('4 query heads, 2 key heads', *grouped),
    told('the same, query heads paired in turn', swapped, grouped[1]),
    told('causal, 1 query behind 4 past keys', *decoded),
    told('the value of the oldest past key instead', past['past_value'][:, :, :1], decoded[1]),
    told('causal with a soft cap', *capped),
    told('causal without', *both(dict(Q=q, K=k, V=v), is_causal=1)),
    told('equal heads', *both(dict(Q=q, K=k, V=v))),
]
raise SystemExit([gap > 0.1 for gap in seen] != [True, False, True, False, True, False, False] or max(seen[i] for i in (1, 3, 5, 6)) > 1e-4)
PY
DEV=PYTHON "$folder/venv/bin/python" "$folder/run.py" "$folder" || { echo 'this has changed' >&2; exit 1; }
