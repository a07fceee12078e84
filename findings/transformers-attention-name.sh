#!/usr/bin/env bash
# One would guess that the name under which an attention function is registered in transformers is a key and no more.
# It is searched for words: a name that holds "flash" is taken for FlashAttention, and the model is not even built, although the very same
# functions serve under another name; one that holds "flex_attention" is refused by GPT-2, as not every model declares that it supports that.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check torch==2.15.0 transformers==5.24.0 numpy==2.4.6
cat > "$folder/run.py" <<'PY'
import torch, transformers
from transformers import AttentionInterface, AttentionMaskInterface, BertConfig, BertModel, GPT2Config, GPT2Model, LlamaConfig, LlamaModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

size = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, vocab_size=99)
models = {
    'BERT': lambda **more: BertModel(BertConfig(**size, **more)),
    'Llama': lambda **more: LlamaModel(LlamaConfig(**size, num_key_value_heads=2, **more)),
    'GPT-2': lambda **more: GPT2Model(GPT2Config(n_embd=32, n_layer=2, n_head=4, vocab_size=99, bos_token_id=1, eos_token_id=2, **more)),
}
print('transformers', transformers.__version__, 'torch', torch.__version__)
ids = torch.arange(12).reshape(1, 12)
seen = {}
for name in ('sparse', 'my_flashy', 'my_flex_attention'):
    AttentionInterface.register(name, sdpa_attention_forward)
    AttentionMaskInterface.register(name, sdpa_mask)
    for model, build in models.items():
        try:
            with torch.no_grad():
                build(attn_implementation=name).eval()(ids, attention_mask=torch.ones_like(ids))
            seen[name, model] = 'runs'
        except Exception as error:
            seen[name, model] = 'refused'
            print(f'  {name}, {model}: {type(error).__name__}: {str(error).splitlines()[0][:110]}')
    print(f'{name}:', ', '.join(f'{model} {seen[name, model]}' for model in models))
expected = {('sparse', model): 'runs' for model in models} | {('my_flashy', model): 'refused' for model in models}
expected |= {('my_flex_attention', 'BERT'): 'runs', ('my_flex_attention', 'Llama'): 'runs', ('my_flex_attention', 'GPT-2'): 'refused'}
raise SystemExit(0 if seen == expected else 1)
PY
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" "$folder/run.py" || { echo 'this has changed' >&2; exit 1; }
