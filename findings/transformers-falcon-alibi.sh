#!/usr/bin/env bash
# One would guess that attn_implementation chooses how attention is computed, not what: eager and sdpa give the same outputs up to rounding, as they do for most of transformers' models.
# Falcon with ALiBi (falcon-rw) gives others: the mask that the model makes already holds the ALiBi bias, and eager adds the bias once more. With sdpa and
# twice the bias, the outputs are those of eager.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check torch==2.15.0 transformers==5.24.0 numpy==2.4.6
cat > "$folder/run.py" <<'PY'
import torch, transformers
from transformers import FalconConfig, FalconForCausalLM
from transformers.models.falcon import modeling_falcon

torch.manual_seed(0)
tokens = torch.randint(3, 99, (1, 64))
weights = None

def logits(implementation, alibi=True):
    """Logits of the same weights, drawn once."""
    global weights
    config = FalconConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, vocab_size=99, alibi=alibi, multi_query=False,
                          initializer_range=0.5, attn_implementation=implementation)
    model = FalconForCausalLM(config).eval()
    weights = weights or model.state_dict()
    model.load_state_dict(weights)
    with torch.no_grad():
        return model(tokens).logits

def gap(one, other):
    return float((one - other).norm() / other.norm())

print('transformers', transformers.__version__, 'torch', torch.__version__)
eager, sdpa = logits('eager'), logits('sdpa')
rotary = gap(logits('eager', alibi=False), logits('sdpa', alibi=False))
once = modeling_falcon.build_alibi_tensor
modeling_falcon.build_alibi_tensor = lambda *args, **more: 2 * once(*args, **more)
twice = logits('sdpa')
print(f'with ALiBi, eager differs from sdpa by {gap(eager, sdpa):.2g} of its size')
print(f'with ALiBi, eager differs from sdpa with twice the bias by {gap(eager, twice):.2g}')
print(f'with rotary positions, eager differs from sdpa by {rotary:.2g}')
raise SystemExit(0 if gap(eager, sdpa) > 0.01 and gap(eager, twice) < 1e-5 and rotary < 1e-5 else 1)
PY
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" "$folder/run.py" || { echo 'this has changed' >&2; exit 1; }
