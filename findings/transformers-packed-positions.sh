#!/usr/bin/env bash
# One would guess that position_ids that restart keep packed sequences apart in transformers: if they do without an attention mask, then
# also beside a mask of ones, which hides nothing, and whether or not a cache is kept.
# They do so only without a mask and with use_cache=False. By default (a cache is kept), or beside a mask of ones, every token attends to the sequence before its own.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check torch==2.15.0 transformers==5.24.0 numpy==2.4.6
cat > "$folder/run.py" <<'PY'
import torch, transformers
from transformers import LlamaConfig, LlamaForCausalLM

torch.manual_seed(0)
model = LlamaForCausalLM(LlamaConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=64,
                                     vocab_size=99, initializer_range=0.5)).eval()
first, second = torch.randint(3, 99, (1, 6)), torch.randint(3, 99, (1, 6))
packed, positions = torch.cat([first, second], 1), torch.arange(6).repeat(1, 2)
ones = torch.ones_like(packed)

def apart(**more):
    """How far the second sequence's logits are from those that it has alone."""
    with torch.no_grad():
        got = model(packed, position_ids=positions, **more).logits[:, 6:]
        alone = model(second, use_cache=False).logits
    return float((got - alone).norm() / alone.norm())

print('transformers', transformers.__version__, 'torch', torch.__version__)
cases = {
    'no mask, use_cache=False': apart(use_cache=False),
    'no mask, as by default': apart(),
    'mask of ones, use_cache=False': apart(attention_mask=ones, use_cache=False),
}
for case, gap in cases.items():
    print(f'{case}: the second sequence differs from itself alone by {gap:.2g}')
kept, cached, masked = cases.values()
raise SystemExit(0 if kept < 1e-4 and cached > 0.05 and masked > 0.05 else 1)
PY
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" "$folder/run.py" || { echo 'this has changed' >&2; exit 1; }
