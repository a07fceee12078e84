#!/usr/bin/env bash
# One would guess that asking a model for the sizes of intermediate tensors, by Shape nodes as further outputs, costs a few bytes each.
# ONNX Runtime runs those Shape nodes last, wherever they stand in the file, and keeps each tensor until then: a chain of 12 products that
# needs the memory of a few tensors needs that of all 12. Turning off the arena and memory patterns changes nothing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q onnx==1.23.2 onnxruntime==1.31.1 numpy==2.2.6
cat > "$folder/run.py" <<'PY'
import resource, sys
import numpy as np, onnx, onnxruntime as ort
from onnx import TensorProto, helper

layers, size, shapes = 12, 3000, sys.argv[1] == 'shapes'
nodes, outputs, x = [], [helper.make_tensor_value_info('out', TensorProto.FLOAT, [None, 8])], 'x'
for i in range(layers):
    nodes += [helper.make_node('Transpose', [x], [f't{i}'], perm=[1, 0]),
              helper.make_node('MatMul', [x, f't{i}'], [f'big{i}']),
              *([helper.make_node('Shape', [f'big{i}'], [f's{i}'])] if shapes else []),
              helper.make_node('Softmax', [f'big{i}'], [f'p{i}'], axis=-1),
              helper.make_node('MatMul', [f'p{i}', x], [f'x{i}'])]
    if shapes:
        outputs.append(helper.make_tensor_value_info(f's{i}', TensorProto.INT64, [2]))
    x = f'x{i}'
nodes.append(helper.make_node('Identity', [x], ['out']))
graph = helper.make_graph(nodes, 'chain', [helper.make_tensor_value_info('x', TensorProto.FLOAT, [None, 8])], outputs)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=9)
onnx.checker.check_model(model)
options = ort.SessionOptions()
options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
options.enable_cpu_mem_arena = options.enable_mem_pattern = False
session = ort.InferenceSession(model.SerializeToString(), options, providers=['CPUExecutionProvider'])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
session.run(None, {'x': np.random.default_rng(0).standard_normal((size, 8), dtype=np.float32)})
print(round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / (4 * size * size), 1))
PY
plain=$("$folder/venv/bin/python" "$folder/run.py" plain)
shaped=$("$folder/venv/bin/python" "$folder/run.py" shapes)
"$folder/venv/bin/python" -c 'import onnxruntime; print("onnxruntime", onnxruntime.__version__)'
echo "peak of one run in products of $((3000 * 3000 * 4)) bytes, of which there are 12: $plain without, $shaped with the Shape outputs"
awk -v p="$plain" -v s="$shaped" 'BEGIN { exit !(p < 4 && s > 10) }' || { echo 'this has changed' >&2; exit 1; }
