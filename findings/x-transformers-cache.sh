#!/usr/bin/env bash
# One would guess that x-transformers' generate(), which keeps keys and values by default, gives the text that it gives without a cache, or does
# without one where it must, as for selective attention. With shift_tokens=1 or attn_data_dependent_alibi=True, two features of its README, the greedy
# text is another: what these take from earlier tokens is not kept. Nothing is said. Rotary and ALiBi positions are right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check torch==2.15.0 x-transformers==2.31.10 numpy==2.4.6
cat > "$folder/run.py" <<'PY'
from importlib.metadata import version
import torch
from x_transformers import AutoregressiveWrapper, Decoder, TransformerWrapper

print('x-transformers', version('x-transformers'), 'torch', torch.__version__)
prompt = torch.arange(1, 7)[None]
options = {'plain': {}, 'rotary_pos_emb': {'rotary_pos_emb': True}, 'alibi_pos_bias': {'alibi_pos_bias': True}, 'shift_tokens=1': {'shift_tokens': 1},
           'attn_data_dependent_alibi': {'attn_data_dependent_alibi': True}}
wrong = []
for name, more in options.items():
    torch.manual_seed(0)
    network = TransformerWrapper(num_tokens=99, max_seq_len=64, attn_layers=Decoder(dim=64, depth=2, heads=2, attn_dim_head=32, **more))
    with torch.no_grad():
        for weights in network.parameters():
            weights.add_(0.1 * torch.randn_like(weights))
    model = AutoregressiveWrapper(network).eval()
    cached, right = (model.generate(prompt, 30, temperature=0.0, cache_kv=cache)[0].tolist() for cache in (True, False))
    same = next((i for i, (one, other) in enumerate(zip(cached, right)) if one != other), 30)
    print(f'{name}: of 30 tokens the first {same} are those generated without a cache')
    wrong += [name] if same < 30 else []
raise SystemExit(0 if wrong == ['shift_tokens=1', 'attn_data_dependent_alibi'] else 1)
PY
"$folder/venv/bin/python" "$folder/run.py" 2>/dev/null || { echo 'this has changed' >&2; exit 1; }
