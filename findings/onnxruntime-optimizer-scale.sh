#!/usr/bin/env bash
# One would guess that ONNX Runtime's transformer optimizer puts its Attention operator only where the outputs stay the same, or gives it the graph's scale.
# In a BERT block it takes the division of the logits for granted: division by a trained temperature, or by one per head, becomes the operator's
# own 1/sqrt(d). The file is valid and gives other outputs, without a warning. The same logits scaled by Mul are left alone, and are right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 sympy==1.14.0 numpy==2.4.6
cat > "$folder/run.py" <<'PY'
import logging, sys
import numpy as np, onnx, onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.transformers import optimizer

logging.disable(logging.WARNING)
heads, width = 4, 8
hidden = heads * width
x = np.random.default_rng(1).standard_normal((2, 6, hidden), dtype=np.float32)


def block(operator, factor):
    """Self-attention as in BERT, between two layer norms."""
    stream, nodes, constants = np.random.default_rng(0), [], []

    def constant(array):
        constants.append(numpy_helper.from_array(np.asarray(array), f'c{len(constants)}'))
        return constants[-1].name

    def node(kind, *inputs, **attributes):
        nodes.append(helper.make_node(kind, list(inputs), [f'{kind}{len(nodes)}'], f'{kind}_{len(nodes)}', **attributes))
        return nodes[-1].output[0]

    draw = lambda *shape: constant(stream.standard_normal(shape, dtype=np.float32) / 3)
    norm = lambda tensor: node('LayerNormalization', tensor, constant(np.ones(hidden, np.float32)), constant(np.zeros(hidden, np.float32)), axis=-1)
    linear = lambda tensor: node('Add', draw(hidden), node('MatMul', tensor, draw(hidden, hidden)))
    split = lambda tensor, order: node('Transpose', node('Reshape', tensor, constant(np.array([0, 0, heads, width]))), perm=order)
    start = norm('x')
    query, key, value = (split(linear(start), order) for order in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]))
    logits = node(operator, node('MatMul', query, key), constant(np.asarray(factor, np.float32)))
    mixed = node('Transpose', node('MatMul', node('Softmax', logits, axis=-1), value), perm=[0, 2, 1, 3])
    end = norm(node('Add', linear(node('Reshape', mixed, constant(np.array([0, 0, hidden])))), start))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ['batch', 'n', hidden]) for name in ('x', end)]
    model = helper.make_model(helper.make_graph(nodes, 'block', ends[:1], ends[1:], constants), opset_imports=[helper.make_opsetid('', 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model


def output(model):
    return ort.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider']).run(None, {'x': x})[0]


print('onnxruntime', ort.__version__, 'onnx', onnx.__version__)
seen = []
cases = [('Div', np.sqrt(width)), ('Div', 0.5), ('Div', np.reshape([0.5, 1, 2, 4], (1, heads, 1, 1))), ('Mul', 2.0)]
for operator, factor in cases:
    original = block(operator, factor)
    path = sys.argv[1] + '/block.onnx'
    onnx.save(original, path)
    optimized = optimizer.optimize_model(path, model_type='bert', num_heads=heads, hidden_size=hidden, opt_level=0).model
    fused = [node for node in optimized.graph.node if node.op_type == 'Attention']
    scales = [attribute.f for node in fused for attribute in node.attribute if attribute.name == 'scale']
    gap = float(np.abs(output(optimized) - output(original)).max())
    seen.append((len(fused), scales, gap > 0.1))
    print(f'{operator} by {np.round(factor, 3).ravel().tolist()}: {len(fused)} Attention, scale {scales or "not given"}; outputs differ by {gap:.2g}')
raise SystemExit(0 if seen == [(1, [], False), (1, [], True), (1, [], True), (0, [], False)] else 1)
PY
"$folder/venv/bin/python" "$folder/run.py" "$folder" || { echo 'this has changed' >&2; exit 1; }
