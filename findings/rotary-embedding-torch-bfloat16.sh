#!/usr/bin/env bash
# One would guess that rotary-embedding-torch rotates bfloat16 queries by the same angles as float32 ones, up to bfloat16's rounding of the result (0.4 %).
# It counts the positions in the queries' own type: from 257 on, bfloat16 has no odd numbers, and beyond 1024 only every eighth, so neighbors get one angle.
# The first call also fills the cache: float32 queries after bfloat16 ones get the wrong angles, and bfloat16 ones after float32 the right ones.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check torch==2.15.0 rotary-embedding-torch==0.9.1 numpy==2.4.6
cat > "$folder/run.py" <<'PY'
from importlib.metadata import version
import torch
from rotary_embedding_torch import RotaryEmbedding

torch.manual_seed(0)
tokens, width = 2000, 64
queries = torch.randn(1, 1, tokens, width)
angles = torch.arange(tokens, dtype=torch.float64)[:, None] / 10000 ** (torch.arange(0, width, 2, dtype=torch.float64) / width)


def error(rotary, queries):
    """The largest relative error of a token in float64, of the first 257 and of all."""
    even, odd = queries[..., 0::2].double(), queries[..., 1::2].double()
    right = torch.stack((even * angles.cos() - odd * angles.sin(), even * angles.sin() + odd * angles.cos()), -1).flatten(-2)
    gaps = ((rotary.rotate_queries_or_keys(queries).double() - right).norm(dim=-1) / right.norm(dim=-1)).flatten()
    return float(gaps[:257].max()), float(gaps.max())


print('rotary-embedding-torch', version('rotary-embedding-torch'), 'torch', torch.__version__)
half = queries.bfloat16()
seen = []
for first, second in ((queries, half), (half, queries)):
    rotary = RotaryEmbedding(dim=width)
    for place, each in (('first', first), ('then', second)):
        gaps = error(rotary, each)
        print(f'{place} {each.dtype}: error up to {gaps[0]:.2g} in the first 257 tokens, {gaps[1]:.2g} in {tokens}')
        seen.append((gaps[0] < 0.02, gaps[1] < 0.02))
raise SystemExit(0 if seen == [(True, True), (True, True), (True, False), (True, False)] else 1)
PY
"$folder/venv/bin/python" "$folder/run.py" || { echo 'this has changed' >&2; exit 1; }
