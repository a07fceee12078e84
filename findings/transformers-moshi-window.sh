#!/usr/bin/env bash
# One would guess that a decoder's window of attention holds however it is run: the whole sequence in one call gives the logits of token by token.
# In transformers' Moshi only the cache keeps to sliding_window (it drops older keys). Without one the whole pass, as in training and scoring, sees
# every key, whatever the window is, with eager and with sdpa. Mistral, with the same settings, gives the same either way.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check torch==2.15.0 transformers==5.24.0 numpy==2.4.6
cat > "$folder/run.py" <<'PY'
import warnings
import torch, transformers
from transformers import MistralConfig, MistralForCausalLM, MoshiConfig, MoshiForCausalLM

warnings.filterwarnings('ignore')
transformers.logging.set_verbosity_error()
tokens = torch.arange(3, 27)[None]
size = dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=16, vocab_size=99, max_position_embeddings=64,
            initializer_range=0.2, pad_token_id=0)
models = {'Moshi': (MoshiForCausalLM, MoshiConfig, {'ffn_dim': 64}), 'Mistral': (MistralForCausalLM, MistralConfig, {'intermediate_size': 64})}
gap = lambda one, other: float((one - other).norm() / other.norm())


@torch.no_grad()
def logits(name, implementation, window):
    """Of the whole sequence in one call, and token by token."""
    torch.manual_seed(0)
    build, config, more = models[name]
    model = build(config(**size, **more, sliding_window=window, attn_implementation=implementation)).eval()
    whole, cache, steps = model(tokens, use_cache=False).logits, None, []
    for i in range(tokens.shape[1]):
        step = model(tokens[:, i:i + 1], past_key_values=cache, use_cache=True)
        cache = step.past_key_values
        steps.append(step.logits)
    return whole, torch.cat(steps, 1)


print('transformers', transformers.__version__, 'torch', torch.__version__)
seen = []
for name in models:
    for implementation in ('eager', 'sdpa'):
        whole, steps = logits(name, implementation, 6)
        unbounded, _ = logits(name, implementation, 64)
        gaps = gap(steps, whole), gap(whole, unbounded), gap(steps, unbounded)
        print(f'{name}, {implementation}, window of 6, 24 tokens: token by token differs from the whole pass by {gaps[0]:.2g}; '
              f'from a window of 64 the whole pass differs by {gaps[1]:.2g}, token by token by {gaps[2]:.2g}')
        seen.append((gaps[0] < 1e-4, gaps[1] < 1e-6, gaps[2] > 0.01))
raise SystemExit(0 if seen == [(False, True, True)] * 2 + [(True, False, True)] * 2 else 1)
PY
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" "$folder/run.py" || { echo 'this has changed' >&2; exit 1; }
