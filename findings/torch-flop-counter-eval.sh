#!/usr/bin/env bash
# One would guess that PyTorch's FlopCounterMode counts the same products of a layer in training and in evaluation, as dropout aside it computes the same.
# nn.MultiheadAttention and nn.TransformerEncoderLayer in evaluation without gradients run one native operator each that the counter has no
# formula for: it counts 0, projections and all, and does not warn. With gradients left on, the same module in evaluation counts everything.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check torch==2.15.0 numpy==2.4.6
cat > "$folder/run.py" <<'PY'
import torch
from torch.utils.flop_counter import FlopCounterMode

torch.manual_seed(0)
tokens, width, heads = 128, 64, 4
x = torch.randn(1, tokens, width)
attention = 4 * tokens * tokens * width + 8 * tokens * width * width
layers = {
    'MultiheadAttention': (torch.nn.MultiheadAttention(width, heads, batch_first=True), attention),
    'TransformerEncoderLayer': (torch.nn.TransformerEncoderLayer(width, heads, 4 * width, dropout=0, batch_first=True), attention + 16 * tokens * width * width),
}


def counted(layer, training, gradients):
    """Floating-point operations by the counter, and the output."""
    layer.train(training)
    call = (lambda: layer(x, x, x, need_weights=False)[0]) if isinstance(layer, torch.nn.MultiheadAttention) else (lambda: layer(x))
    counter = FlopCounterMode(display=False)
    with torch.set_grad_enabled(gradients), counter:
        output = call()
    return counter.get_total_flops(), output.detach()


print('torch', torch.__version__)
holds = []
for name, (layer, ideal) in layers.items():
    runs = {case: counted(layer, *case) for case in ((True, True), (True, False), (False, True), (False, False))}
    for (training, gradients), (flops, output) in runs.items():
        gap = float((output - runs[True, True][1]).abs().max())
        print(f"{name}, {'training' if training else 'evaluation'}, {'with' if gradients else 'without'} gradients: {flops} of {ideal}; output differs by {gap:.2g}")
        holds.append(flops == (0 if (training, gradients) == (False, False) else ideal) and gap < 1e-4)
raise SystemExit(0 if all(holds) else 1)
PY
"$folder/venv/bin/python" "$folder/run.py" || { echo 'this has changed' >&2; exit 1; }
