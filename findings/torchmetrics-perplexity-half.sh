#!/usr/bin/env bash
# One would guess that TorchMetrics' Perplexity of logits in float16 or bfloat16 is that of the same numbers in float32, up to their rounding.
# It takes the softmax, its logarithm and the sum over a batch in the logits' own type. In float16 one token less likely than 3e-8, or a batch whose
# losses add up to more than 65504 (8 × 4096 tokens do), makes it infinite; in float32 a loss above 104 does. It says nothing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check torch==2.15.0 torchmetrics==1.9.0 numpy==2.4.6
cat > "$folder/run.py" <<'PY'
import torch, torchmetrics
from torch.nn.functional import cross_entropy
from torchmetrics.text import Perplexity

torch.manual_seed(0)
print('torchmetrics', torchmetrics.__version__, 'torch', torch.__version__)


def told(name, logits, targets):
    """Whether the perplexity is that of float64, by type."""
    right, seen = float(cross_entropy(logits.double().flatten(0, 1), targets.flatten()).exp()), []
    for kind in (torch.float32, torch.bfloat16, torch.float16):
        metric = Perplexity()
        metric.update(logits.to(kind), targets)
        seen.append(float(metric.compute()))
    print(f'{name}: float32 {seen[0]:.4g}, bfloat16 {seen[1]:.4g}, float16 {seen[2]:.4g}; by cross entropy in float64 {right:.4g}')
    return [abs(each / right - 1) < 0.02 for each in seen]


large = told('8 × 4096 tokens', torch.randn(8, 4096, 100), torch.randint(0, 100, (8, 4096)))
rare, targets = torch.zeros(1, 50, 100), torch.zeros(1, 50, dtype=torch.long)
rare[..., 0] = 5
rare[0, 7, 1] = 25
one = told('50 tokens, one with a loss of 20', rare, targets)
rare[0, 7, 1] = 115
far = told('50 tokens, one with a loss of 110', rare, targets)
raise SystemExit(0 if large == [True, True, False] and one == [True, True, False] and far == [False] * 3 else 1)
PY
"$folder/venv/bin/python" "$folder/run.py" || { echo 'this has changed' >&2; exit 1; }
