#!/usr/bin/env bash
# One would guess that ONNX Runtime's dynamic quantizer makes the products in the branches of an If integer ones, as it does elsewhere: a
# merged decoder, as Optimum exports it, has all of its layers there. It leaves every one of them as it is and says nothing, so that the
# "quantized" file is larger than the original. The option that changes this is EnableSubgraph, which is off.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q onnx==1.23.2 onnxruntime==1.32.0 numpy==2.2.6
cat > "$folder/run.py" <<'PY'
import logging, os, sys
import numpy as np, onnx, onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import quantize_dynamic

logging.disable(logging.WARNING)
os.chdir(sys.argv[1])
width, layers = 64, 4
stream = np.random.default_rng(0)


def branch(name):
    """A chain of products; both branches of a merged decoder share the weights around them."""
    nodes, x = [], 'x'
    for i in range(layers):
        nodes += [helper.make_node('MatMul', [x, f'w{i}'], [f'{name}{i}'], f'{name}.MatMul{i}'), helper.make_node('Tanh', [f'{name}{i}'], [f'{name}t{i}'])]
        x = f'{name}t{i}'
    return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(x, TensorProto.FLOAT, ['n', width])])


inputs = [helper.make_tensor_value_info('use_cache', TensorProto.BOOL, []), helper.make_tensor_value_info('x', TensorProto.FLOAT, ['n', width])]
nodes = [helper.make_node('If', ['use_cache'], ['y'], 'If', then_branch=branch('then'), else_branch=branch('else'))]
weights = [numpy_helper.from_array(stream.standard_normal((width, width), dtype=np.float32) / 8, f'w{i}') for i in range(layers)]
graph = helper.make_graph(nodes, 'merged', inputs, [helper.make_tensor_value_info('y', TensorProto.FLOAT, ['n', width])], weights)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=9)
onnx.checker.check_model(model)
onnx.save(model, 'model.onnx')


def products(graph):
    inner = [each for node in graph.node for attribute in node.attribute if attribute.type == onnx.AttributeProto.GRAPH for each in products(attribute.g)]
    return [node.op_type for node in graph.node if node.op_type.startswith('MatMul')] + inner


def told(path):
    found = products(onnx.load(path).graph)
    feeds = {'use_cache': np.array(True), 'x': np.ones((3, width), np.float32)}
    output = ort.InferenceSession(path, providers=['CPUExecutionProvider']).run(None, feeds)[0]
    print(f"{path}: {found.count('MatMul')} MatMul, {found.count('MatMulInteger')} MatMulInteger, {os.path.getsize(path)} bytes, first number {output[0, 0]:.3f}")
    return found.count('MatMul'), found.count('MatMulInteger'), os.path.getsize(path)


before = told('model.onnx')
quantize_dynamic('model.onnx', 'quantized.onnx')
plain = told('quantized.onnx')
quantize_dynamic('model.onnx', 'subgraphs.onnx', extra_options={'EnableSubgraph': True})
inside = told('subgraphs.onnx')
print('onnxruntime', ort.__version__)
sys.exit(not (plain[:2] == before[:2] == (2 * layers, 0) and plain[2] > before[2] and inside[:2] == (0, 2 * layers) and inside[2] < before[2] / 2))
PY
"$folder/venv/bin/python" "$folder/run.py" "$folder" || { echo 'this has changed' >&2; exit 1; }
