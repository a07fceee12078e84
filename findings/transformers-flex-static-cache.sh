#!/usr/bin/env bash
# One would guess that the cache's class and attn_implementation choose how a text is generated, not what: with sdpa, a static and a growing cache agree.
# With flex_attention they agree only when the whole prompt is the first call. Behind a StaticCache, each decoded token also sees the next place, which is
# still empty: the mask reads the cache's count of tokens only after the first layer has moved it on. A number put into that place shows in the logits. (Needs a C++ compiler.)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check torch==2.15.0 transformers==5.24.0 numpy==2.4.6
cat > "$folder/run.py" <<'PY'
import warnings
import torch, transformers
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM, StaticCache

warnings.filterwarnings('ignore')
transformers.logging.set_verbosity_error()
torch.manual_seed(0)
size = dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=64, vocab_size=99, initializer_range=0.2)
weights = LlamaForCausalLM(LlamaConfig(**size)).state_dict()
tokens = torch.randint(3, 99, (1, 12))
print('transformers', transformers.__version__, 'torch', torch.__version__)


@torch.no_grad()
def decoded(implementation, static, empty=0.0):
    """Logits of a prompt of 8 tokens and of 4 decoded ones; `empty` is put into the places that no token has yet, once the prompt is through."""
    model = LlamaForCausalLM(LlamaConfig(**size, attn_implementation=implementation)).eval()
    model.load_state_dict(weights)
    cache = StaticCache(config=model.config, max_cache_len=32) if static else DynamicCache(config=model.config)
    logits = [model(tokens[:, :8], past_key_values=cache).logits]
    if static:
        for layer in cache.layers:
            layer.values[:, :, 8:] = empty
    logits += [model(tokens[:, i:i + 1], past_key_values=cache).logits for i in range(8, 12)]
    return torch.cat(logits, 1)


right = decoded('sdpa', False)
seen = {}
for implementation in ('sdpa', 'flex_attention'):
    for static in (False, True):
        got = decoded(implementation, static)
        gaps = [float((one - other).norm() / other.norm()) for one, other in ((got[:, :8], right[:, :8]), (got[:, 8:], right[:, 8:]))]
        print(f"{implementation}, {'static' if static else 'growing'} cache: differs from sdpa with a growing one by {gaps[0]:.2g} in the prompt, {gaps[1]:.2g} behind it")
        seen[implementation, static] = gaps[0] < 1e-4, gaps[1] < 1e-4
    touched = float((decoded(implementation, True, 9.0) - decoded(implementation, True)).abs().max())
    print(f'  numbers in the empty places change its logits by {touched:.2g}')
    seen[implementation, 'empty'] = touched == 0
wrong = {case for case, holds in seen.items() if holds not in (True, (True, True))}
raise SystemExit(0 if wrong == {('flex_attention', True), ('flex_attention', 'empty')} and seen['flex_attention', True] == (True, False) else 1)
PY
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" "$folder/run.py" || { echo 'this has changed' >&2; exit 1; }
