#!/usr/bin/env bash
# One would guess that CTranslate2's converter, which takes Gemma 2, keeps its soft caps, its window and the scale of its attention, or says that it cannot.
# It drops all of them without a word: the converted model gives the logits that the same weights give without caps and window, and with the scale
# 1/sqrt(head_dim) (Gemma 2 27B has 1/sqrt(144) with heads of 128). Where a model has none of these, the conversion is exact.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check torch==2.15.0 transformers==5.24.0 ctranslate2==4.8.5 numpy==2.4.6
cat > "$folder/run.py" <<'PY'
import sys, tempfile
import ctranslate2, numpy as np, torch, transformers
from ctranslate2.converters import TransformersConverter
from tokenizers import Tokenizer, models
from transformers import Gemma2Config, Gemma2ForCausalLM, PreTrainedTokenizerFast

transformers.logging.set_verbosity_error()
words = ['<pad>', '<unk>', '<s>', '</s>', *(f'w{i}' for i in range(4, 99))]
tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token='<unk>')),
                                    unk_token='<unk>', bos_token='<s>', eos_token='</s>', pad_token='<pad>')
ids = [4 + 7 * i % 90 for i in range(40)]
size = dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=64, vocab_size=99, head_dim=16,
            query_pre_attn_scalar=16, initializer_range=0.3, pad_token_id=0, bos_token_id=2, eos_token_id=3, attn_implementation='eager')
none = dict(attn_logit_softcapping=None, final_logit_softcapping=None, sliding_window=64)
gap = lambda one, other: float((one - other).norm() / other.norm())
print('ctranslate2', ctranslate2.__version__, 'transformers', transformers.__version__)


@torch.no_grad()
def logits(settings, convert):
    torch.manual_seed(0)
    model = Gemma2ForCausalLM(Gemma2Config(**{**size, **settings})).eval()
    if not convert:
        return model(torch.tensor([ids])).logits
    folder = tempfile.mkdtemp(dir=sys.argv[1])
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    generator = ctranslate2.Generator(TransformersConverter(folder).convert(folder + '/converted', force=True), compute_type='float32')
    return torch.from_numpy(np.array(generator.forward_batch([[words[i] for i in ids]])))


bare = logits(none, False)
seen = {}
cases = {'no cap, no window': {}, 'cap of attention': {'attn_logit_softcapping': 0.7}, 'cap of the logits': {'final_logit_softcapping': 2.0}, 'window of 6': {'sliding_window': 6}, 'scale of 1/12': {'query_pre_attn_scalar': 144}}
for name, more in cases.items():
    settings = {**none, **more}
    converted = logits(settings, True)
    seen[name] = gap(converted, logits(settings, False)) < 1e-3, gap(converted, bare) < 1e-3
    print(f'{name}: converted, the logits differ from transformers by {gap(converted, logits(settings, False)):.2g} of their size, from the model without by {gap(converted, bare):.2g}')
raise SystemExit(0 if list(seen.values()) == [(True, True), (False, True), (False, True), (False, True), (False, True)] else 1)
PY
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" "$folder/run.py" "$folder" 2>/dev/null || { echo 'this has changed' >&2; exit 1; }
