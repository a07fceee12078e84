#!/usr/bin/env bash
# One would guess that mlx-lm, which requires transformers 5, reads the config.json that transformers 5 writes for a Llama.
# transformers 5 writes the base of the rotary embedding (500000 in Llama 3) and its scaling into rope_parameters; mlx-lm reads the older names
# beside it, finds none, and rotates by its default of 10000 without scaling. Nothing is said. A config with the older names is read right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check 'mlx[cpu]==0.32.4' mlx-lm==0.32.2 transformers==5.24.0
cat > "$folder/run.py" <<'PY'
import json, sys
import mlx.core as mx, mlx_lm, transformers
from mlx.utils import tree_flatten, tree_unflatten
from mlx_lm.utils import _get_classes, load_config
from pathlib import Path
from transformers import LlamaConfig, MistralConfig, Qwen2Config

size = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=64, vocab_size=99)
tokens = mx.array([[3 + 7 * i % 90 for i in range(64)]])


def logits(config):
    build, settings = _get_classes(config)
    model = build(settings.from_dict(config))
    mx.random.seed(0)
    model.update(tree_unflatten([(name, mx.random.normal(each.shape) / 3) for name, each in sorted(tree_flatten(model.parameters()))]))
    return model(tokens)


gap = lambda one, other: float(mx.linalg.norm(one - other) / mx.linalg.norm(other))
print('mlx-lm', mlx_lm.__version__, 'transformers', transformers.__version__)
seen = []
for kind, base in ((LlamaConfig, 500000.0), (MistralConfig, 1000000.0)):
    kind(**size, rope_theta=base).save_pretrained(sys.argv[1])
    written = load_config(Path(sys.argv[1]))
    older = {**written, 'rope_theta': base}
    plain = {**written, 'rope_theta': 10000.0}
    found = {name: written[name] for name in ('rope_theta', 'rope_parameters') if name in written}
    gaps = [gap(logits(written), logits(each)) for each in (older, plain)]
    seen.append((gaps[0] > 0.01, gaps[1] == 0))
    print(f'{kind.__name__} with a base of {base:.0f}, written as {json.dumps(found)}: logits differ from that base by {gaps[0]:.2g}, from 10000 by {gaps[1]:.2g}')
raise SystemExit(0 if seen == [(True, True)] * 2 else 1)
PY
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" "$folder/run.py" "$folder" || { echo 'this has changed' >&2; exit 1; }
