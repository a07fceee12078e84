#!/usr/bin/env bash
# One would guess that with exact_windowsize local-attention shows a query window_size keys at most, as its README says, and that its rotary embedding
# turns queries and keys by their true positions. It shows one key more. Where it is not causal, each query is turned as if it stood in the window
# behind its own, so that a token is window_size away from itself. Causal attention, where the own window is the last, is right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check torch==2.15.0 local-attention==1.11.2 numpy==2.4.6
cat > "$folder/run.py" <<'PY'
from importlib.metadata import version
import torch
from local_attention import LocalAttention

torch.manual_seed(0)
tokens, window, width = 24, 4, 8
query, key, value = torch.randn(3, 1, 1, tokens, width)
i, j = torch.arange(tokens)[:, None], torch.arange(tokens)[None]


def turned(x, positions):
    angles = (positions.double()[:, None] / 10000 ** (torch.arange(0, width, 2).double() / width)).repeat(1, 2)
    one, other = x.double().chunk(2, -1)
    return x.double() * angles.cos() + torch.cat((-other, one), -1) * angles.sin()


def dense(seen, ahead=None):
    """In float64; `ahead` turns the queries by positions so many tokens further on."""
    rows = (query.double(), key.double()) if ahead is None else (turned(query, torch.arange(tokens) + ahead), turned(key, torch.arange(tokens)))
    logits = (rows[0] @ rows[1].mT / width ** 0.5).masked_fill(~seen, float('-inf'))
    return logits.softmax(-1) @ value.double()


def nearest(got, cases):
    return [name for name, right in cases.items() if (got.double() - right).abs().max() < 1e-5]


print('local-attention', version('local-attention'), 'torch', torch.__version__)
exact = LocalAttention(window, causal=True, exact_windowsize=True)(query, key, value)
keys = nearest(exact, {count: dense((j <= i) & (i - j < count)) for count in range(1, 10)})
print(f'exact_windowsize, window of {window}: a query sees {keys} keys')
blocks = {True: (j <= i) & (i // window - j // window <= 1), False: (i // window - j // window).abs() <= 1}
ahead = {}
for causal, seen in blocks.items():
    got = LocalAttention(window, causal=causal, dim=width)(query, key, value)
    ahead[causal] = nearest(got, {step: dense(seen, step) for step in (-window, 0, window, 2 * window)})
    print(f'rotary, {"causal" if causal else "not causal"}: the queries stand {ahead[causal]} tokens ahead of their place')
raise SystemExit(0 if keys == [window + 1] and ahead == {True: [0], False: [window]} else 1)
PY
"$folder/venv/bin/python" "$folder/run.py" || { echo 'this has changed' >&2; exit 1; }
