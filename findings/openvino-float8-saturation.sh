#!/usr/bin/env bash
# One would guess that OpenVINO casts to float8 as ONNX defines it: unless `saturate` is 0, a number beyond 448 becomes 448, and infinity as well.
# It reads Cast without that attribute, which is 1 by default: on the CPU such numbers become NaN in E4M3 and infinite in E5M2, whatever it says. One
# outlier among the queries then makes its row of attention NaN. ONNX Runtime and the reference saturate.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.1 numpy==2.4.6
cat > "$folder/run.py" <<'PY'
import sys
import numpy as np, onnx, onnxruntime as ort, openvino
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

x = np.array([300, 448, 500, -1000, 1e5, np.inf], np.float32)
print('openvino', openvino.__version__, 'onnxruntime', ort.__version__, 'onnx', onnx.__version__)
seen = []
for kind in ('FLOAT8E4M3FN', 'FLOAT8E5M2'):
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [len(x)]) for name in 'xy']
    nodes = [helper.make_node('Cast', ['x'], ['small'], to=getattr(TensorProto, kind), saturate=1), helper.make_node('Cast', ['small'], ['y'], to=TensorProto.FLOAT)]
    model = helper.make_model(helper.make_graph(nodes, 'casts', ends[:1], ends[1:]), opset_imports=[helper.make_opsetid('', 23)], ir_version=11)
    onnx.checker.check_model(model)
    path = sys.argv[1] + '/casts.onnx'
    onnx.save(model, path)
    got = {
        'reference': ReferenceEvaluator(model).run(None, {'x': x})[0],
        'ONNX Runtime': ort.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider']).run(None, {'x': x})[0],
        'OpenVINO': openvino.Core().compile_model(path, 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})(x)[0],
    }
    print(f'{x.tolist()} to {kind}, saturate=1:', *(f'  {name}: {each.tolist()}' for name, each in got.items()), sep='\n')
    seen.append([bool(np.isfinite(each).all()) for each in got.values()])
raise SystemExit(0 if seen == [[True, True, False]] * 2 else 1)
PY
CI=true "$folder/venv/bin/python" "$folder/run.py" "$folder" || { echo 'this has changed' >&2; exit 1; }
