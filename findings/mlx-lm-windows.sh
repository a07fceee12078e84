#!/usr/bin/env bash
# One would guess that mlx-lm honors a configuration's sliding_window in each model that it supports, as it does for Gemma 3, or refuses it.
# For Gemma 2, Mistral, Phi-3 and Starcoder 2 it drops the setting without a word: every layer sees the whole context. Beyond the window (4096 of
# Gemma 2's 8192 tokens, 2047 of Phi-3's 4096) it then runs another model than the one that was trained.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check 'mlx[cpu]==0.32.4' mlx-lm==0.32.2
cat > "$folder/run.py" <<'PY'
import mlx.core as mx, mlx_lm
from mlx.utils import tree_flatten, tree_unflatten
from mlx_lm.utils import _get_classes

size = dict(hidden_size=32, num_hidden_layers=4, intermediate_size=64, num_attention_heads=4, num_key_value_heads=2, head_dim=8, vocab_size=99,
            rms_norm_eps=1e-5, norm_epsilon=1e-5, max_position_embeddings=64)
more = {'gemma3_text': {'sliding_window_pattern': 2}}
tokens = mx.array([[3 + 7 * i % 90 for i in range(40)]])


def logits(kind, window):
    """Of a small model with the same random weights for each window."""
    config = {'model_type': kind, 'sliding_window': window, **size, **more.get(kind, {})}
    build, settings = _get_classes(config)
    model = build(settings.from_dict(config))
    mx.random.seed(0)
    model.update(tree_unflatten([(name, mx.random.normal(each.shape) / 3) for name, each in sorted(tree_flatten(model.parameters()))]))
    return model(tokens)


print('mlx-lm', mlx_lm.__version__, 'mlx', mx.__version__)
seen = {}
for kind in ('gemma3_text', 'gemma2', 'mistral', 'phi3', 'starcoder2'):
    bounded, unbounded = logits(kind, 6), logits(kind, 64)
    seen[kind] = float(mx.linalg.norm(bounded - unbounded) / mx.linalg.norm(unbounded))
    print(f'{kind}, 40 tokens: with a window of 6, the logits differ from those with 64 by {seen[kind]:.2g} of their size')
raise SystemExit(0 if [kind for kind, gap in seen.items() if gap == 0] == ['gemma2', 'mistral', 'phi3', 'starcoder2'] else 1)
PY
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" "$folder/run.py" || { echo 'this has changed' >&2; exit 1; }
