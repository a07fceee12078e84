#!/usr/bin/env bash
# One would guess that Trainer.evaluate() of transformers gives NaN where the loss of a part of the data is NaN, so that a broken model is seen.
# It leaves those batches out of eval_loss without a word (the reason is an option for logging, logging_nan_inf_filter, which is on): the model that
# fails on a quarter of the rows can look better than one that does not, and the larger the batches, the more rows go unseen.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check torch==2.15.0 transformers==5.24.0 accelerate==1.15.0 numpy==2.4.6
cat > "$folder/run.py" <<'PY'
import math, sys
import torch, transformers
from transformers import LlamaConfig, LlamaForCausalLM, PrinterCallback, Trainer, TrainingArguments

transformers.logging.set_verbosity_error()
torch.manual_seed(0)
model = LlamaForCausalLM(LlamaConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, vocab_size=50, initializer_range=0.5))
rows = torch.randint(8, 50, (8, 12))
rows[[1, 5], 3] = 7
data = [{'input_ids': row, 'labels': row} for row in rows]


def loss(size, **more):
    settings = TrainingArguments(sys.argv[1], per_device_eval_batch_size=size, use_cpu=True, report_to=[], disable_tqdm=True, **more)
    trainer = Trainer(model, settings, eval_dataset=data)
    trainer.remove_callback(PrinterCallback)
    return trainer.evaluate()['eval_loss']


print('transformers', transformers.__version__, 'torch', torch.__version__)
whole = loss(1)
with torch.no_grad():
    model.model.embed_tokens.weight[7] = math.nan  # Token 7 is in two of the eight rows.
seen = {size: loss(size) for size in (1, 2, 4)}
logged = loss(1, logging_nan_inf_filter=False)
print(f'eval_loss: {whole:.4f}; with a model that gives NaN for two of eight rows {seen[1]:.4f}, in batches of two {seen[2]:.4f}, of four {seen[4]}')
print(f'with logging_nan_inf_filter=False: {logged}')
raise SystemExit(0 if math.isfinite(seen[1]) and math.isfinite(seen[2]) and math.isnan(seen[4]) and math.isnan(logged) else 1)
PY
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" "$folder/run.py" "$folder/out" 2>/dev/null || { echo 'this has changed' >&2; exit 1; }
