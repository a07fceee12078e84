#!/usr/bin/env bash
# One would guess that jax2onnx exports what JAX computes: with key_value_seq_lengths alone, padded keys are masked and no query is.
# It takes the length that is not given for the number of heads: of 6 queries in 4 heads, the last two get zeros (with query lengths alone, no
# query sees the last two keys), and nothing is said. With both lengths given, or at least as many heads as tokens, it is right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check jax2onnx==0.17.1 jax==0.10.2 onnxruntime==1.32.0
cat > "$folder/run.py" <<'PY'
from importlib.metadata import version
import jax, jax2onnx, numpy as np, onnxruntime as ort

print('jax2onnx', version('jax2onnx'), 'jax', jax.__version__, 'onnxruntime', ort.__version__)
tokens, stream = 6, np.random.default_rng(0)
lengths = {'query_seq_lengths': np.array([5, 6], np.int32), 'key_value_seq_lengths': np.array([3, 6], np.int32)}


def told(names, heads):
    """How far the exported model is from JAX, and from JAX with the number of heads as the length that is not given."""
    arrays = [stream.standard_normal((2, tokens, heads, 8), dtype=np.float32) for _ in range(3)]

    def attend(query, key, value, *given):
        return jax.nn.dot_product_attention(query, key, value, **dict(zip(names, given)))

    inputs = [*arrays, *(lengths[name] for name in names)]
    model = jax2onnx.to_onnx(attend, inputs=[jax.ShapeDtypeStruct(each.shape, each.dtype) for each in inputs])
    session = ort.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider'])
    got = session.run(None, {slot.name: each for slot, each in zip(session.get_inputs(), inputs)})[0]
    filled = {name: lengths[name] if name in names else np.full(2, heads, np.int32) for name in lengths}
    gaps = [float(np.abs(got - np.asarray(each)).max()) for each in (attend(*inputs), jax.nn.dot_product_attention(*arrays, **filled))]
    print(f"{tokens} tokens, {heads} heads, {' and '.join(names)}: differs from JAX by {gaps[0]:.2g}, with {heads} as the other length by {gaps[1]:.2g}")
    return [gap < 1e-5 for gap in gaps]


one, other = lengths
seen = [told([other], 4), told([one], 4), told([other], 6), told([one, other], 4)]
raise SystemExit(0 if seen == [[False, True], [False, True], [True, True], [True, True]] else 1)
PY
"$folder/venv/bin/python" "$folder/run.py" || { echo 'this has changed' >&2; exit 1; }
