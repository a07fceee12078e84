#!/usr/bin/env bash
# One would guess that torch.compile keeps a NaN: a query whose keys are all masked with -inf is NaN in softmax(q·kᵀ/√d + mask)·v, compiled or not.
# Compiled on the CPU it is 0: the compiler puts scaled_dot_product_attention in, which defines such rows as 0. Spelled with q divided first,
# which the compiler does not recognize, it stays NaN. So whether a model shows a fully masked row depends on where it divides.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check torch==2.15.0 numpy==2.4.6
cat > "$folder/run.py" <<'PY'
import math, torch

torch.manual_seed(0)
q, k, v = (torch.randn(1, 2, 64, 16) for _ in range(3))
mask = torch.zeros(1, 1, 64, 64)
mask[..., 5, :] = -math.inf

def usual(q, k, v, mask):
    return torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(16) + mask, -1) @ v

def divided_first(q, k, v, mask):
    return torch.softmax((q / math.sqrt(16)) @ k.transpose(-2, -1) + mask, -1) @ v

print('torch', torch.__version__)
shown = {}
with torch.no_grad():
    for attend in (usual, divided_first):
        eager, compiled = attend(q, k, v, mask), torch.compile(attend)(q, k, v, mask)
        others = torch.arange(64) != 5
        assert torch.allclose(eager[..., others, :], compiled[..., others, :], atol=1e-5)
        shown[attend.__name__] = [float(output[0, 0, 5, 0]) for output in (eager, compiled)]
        print(f'{attend.__name__}, the masked row: eager {shown[attend.__name__][0]}, compiled {shown[attend.__name__][1]}')
(eager, compiled), others = shown['usual'], shown['divided_first']
raise SystemExit(0 if math.isnan(eager) and compiled == 0 and all(map(math.isnan, others)) else 1)
PY
"$folder/venv/bin/python" "$folder/run.py" || { echo 'this has changed' >&2; exit 1; }
