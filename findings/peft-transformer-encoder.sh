#!/usr/bin/env bash
# One would guess that LoRA adapters that PEFT puts on the Linear layers of torch's nn.TransformerEncoder work in evaluation as they do in training.
# In evaluation, and as the other weights are frozen with gradients on as well, each layer runs one native operator that reads the original weights:
# the outputs are those of the model before it was fine-tuned, and nothing is said. Merged adapters show what was learned.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check torch==2.15.0 peft==0.21.2 numpy==2.4.6
cat > "$folder/run.py" <<'PY'
import logging
import peft, torch
from peft import LoraConfig, get_peft_model

logging.disable(logging.WARNING)
torch.manual_seed(0)
print('peft', peft.__version__, 'torch', torch.__version__)
x, targets = torch.randn(32, 5, 32), torch.randn(32, 5, 32)
layer = torch.nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True)
model = get_peft_model(torch.nn.TransformerEncoder(layer, 2), LoraConfig(r=4, target_modules=['linear1', 'linear2']))


def loss():
    return torch.nn.functional.mse_loss(model(x), targets)


before = loss().item()
optimizer = torch.optim.Adam((each for each in model.parameters() if each.requires_grad), lr=0.03)
for _ in range(100):
    optimizer.zero_grad()
    now = loss()
    now.backward()
    optimizer.step()
model.eval()
seen = {'in training': now.item(), 'in evaluation, with gradients': loss().item()}
with torch.no_grad():
    seen['in evaluation, without gradients'] = loss().item()
    with model.disable_adapter():
        seen['without adapters'] = loss().item()
    model = model.merge_and_unload()
    seen['merged'] = loss().item()
print(f'loss before training {before:.4f}', *(f'{name} {each:.4f}' for name, each in seen.items()), sep='; ')
good = [name for name, each in seen.items() if each < before - 0.05]
bypassed = [name for name in seen if 'in evaluation' in name and abs(seen[name] - seen['without adapters']) < 1e-6]
raise SystemExit(0 if len(bypassed) == 2 and good == ['in training', 'merged'] else 1)
PY
"$folder/venv/bin/python" "$folder/run.py" || { echo 'this has changed' >&2; exit 1; }
