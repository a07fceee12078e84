#!/usr/bin/env bash
# One would guess that max_window_layers means the same in every Qwen of transformers: "The first `max_window_layers` layers will use full attention".
# In Qwen2 and Qwen3 it does. In Qwen2-MoE the window is on every second layer *before* that number and never after it: 0, the window
# everywhere in Qwen2, is the window nowhere, without a warning. Qwen3-MoE takes the number and has the window in all layers, whatever it is.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check transformers==5.24.0
cat > "$folder/run.py" <<'PY'
import inspect, transformers
from transformers import Qwen2Config, Qwen2MoeConfig, Qwen3Config, Qwen3MoeConfig

transformers.logging.set_verbosity_error()
print('transformers', transformers.__version__, '(layers with the window)')
seen = {}
for kind in (Qwen2Config, Qwen3Config, Qwen2MoeConfig):
    for first in (0, 2, 6):
        config = kind(num_hidden_layers=6, use_sliding_window=True, sliding_window=4, max_window_layers=first)
        layers = [i for i, each in enumerate(config.layer_types) if each == 'sliding_attention']
        seen[kind.__name__, first] = layers
        print(f'{kind.__name__}, max_window_layers={first}: {layers or "none"}')
by_layer = 'max_window_layers' in inspect.getsource(Qwen3MoeConfig) or hasattr(Qwen3MoeConfig(use_sliding_window=True), 'layer_types')
print(f'Qwen3MoeConfig: {"by layer" if by_layer else "one setting for all layers"}')
right = {0: [0, 1, 2, 3, 4, 5], 2: [2, 3, 4, 5], 6: []}
expected = {(name, first): layers for name in ('Qwen2Config', 'Qwen3Config') for first, layers in right.items()}
expected |= {('Qwen2MoeConfig', 0): [], ('Qwen2MoeConfig', 2): [0], ('Qwen2MoeConfig', 6): [0, 2, 4]}
raise SystemExit(0 if seen == expected and not by_layer else 1)
PY
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" "$folder/run.py" || { echo 'this has changed' >&2; exit 1; }
