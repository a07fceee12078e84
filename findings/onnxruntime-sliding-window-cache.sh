#!/usr/bin/env bash
# One would guess that a cache of GroupQueryAttention with sliding_window_cache=1 ends with its newest keys, oldest first, or is a ring. With
# more room than the window, it is neither: when full, the newest of the window move to its front, the next key goes behind them, and older
# keys stay in the rows behind that. Its last rows are then not its newest, and nothing but counting all tokens tells where the newest is.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q onnx==1.23.2 onnxruntime==1.32.0 numpy==2.2.6
cat > "$folder/run.py" <<'PY'
import numpy as np, onnx, onnxruntime as ort
from onnx import TensorProto, helper

window, capacity, width = 4, 6, 8
value = lambda name, sizes, type=TensorProto.FLOAT: helper.make_tensor_value_info(name, type, sizes)
node = helper.make_node(
    'GroupQueryAttention', ['query', 'key', 'value', 'past_key', 'past_value', 'seqlens_k', 'total'], ['output', 'present_key', 'present_value'],
    domain='com.microsoft', num_heads=1, kv_num_heads=1, local_window_size=window, sliding_window_cache=1)
inputs = [value(name, ['batch', 'n', width]) for name in ('query', 'key', 'value')]
past = [value(name, ['batch', 1, 'rows', width]) for name in ('past_key', 'past_value')]
counts = [value('seqlens_k', ['batch'], TensorProto.INT32), value('total', [1], TensorProto.INT32)]
outputs = [value('output', ['batch', 'n', width])] + [value(name, ['batch', 1, 'rows', width]) for name in ('present_key', 'present_value')]
graph = helper.make_graph([node], 'cache', inputs + past + counts, outputs)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17), helper.make_opsetid('com.microsoft', 1)], ir_version=10)
onnx.checker.check_model(model)
session = ort.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider'])
print(f'onnx {onnx.__version__}, onnxruntime {ort.__version__}; a window of {window}, room for {capacity} keys; token t has the key and value t')


def call(tokens, keys, values, total):
    """Queries are 0, so that each output is the mean of the values that its query sees."""
    told = np.repeat(np.array(tokens, np.float32)[None, :, None], width, axis=2)
    count = np.array([total], np.int32)
    feeds = dict(query=0 * told, key=told, value=told, past_key=keys, past_value=values, seqlens_k=count - 1, total=count)
    output, keys, values = (np.array(each) for each in session.run(None, feeds))
    print(f'token {tokens[-1]:2}: sees {output[0, -1, 0]:.1f} on average, the cache holds {[int(each) for each in keys[0, 0, :, 0]]}')
    assert np.array_equal(keys, values) and abs(output[0, -1, 0] - np.mean(range(total - window + 1, total + 1))) < 1e-5
    return keys, values


empty = np.zeros((1, 1, capacity, width), np.float32)
cache = call(range(1, 7), empty, empty, 6)
held = [[int(each) for each in cache[0][0, 0, :, 0]]]
for token in range(7, 11):
    cache = call([token], *cache, token)
    held.append([int(each) for each in cache[0][0, 0, :, 0]])
assert held == [[1, 2, 3, 4, 5, 6], [4, 5, 6, 7, 5, 6], [4, 5, 6, 7, 8, 6], [4, 5, 6, 7, 8, 9], [7, 8, 9, 10, 8, 9]], held
PY
"$folder/venv/bin/python" "$folder/run.py"
