#!/usr/bin/env bash
# One would guess that in Keras the padding mask of Embedding(mask_zero=True) reaches the attention of each block of an encoder, however its sums are spelled.
# After x + attention(x, x) there is no mask. After layers.Add()([…]) there is one where a normalization comes before the attention, and none where it
# comes after, as in the first Transformer. From the second block on, real tokens then attend to padding. Nothing is said.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check keras==3.15.1 jax==0.10.2 numpy==2.4.6
cat > "$folder/run.py" <<'PY'
import keras
import numpy as np
from keras import layers, ops

alone = np.array([[3, 4, 5]])
padded = np.array([[3, 4, 5, 0, 0, 0]])
sums = {'x + y': lambda x, y: x + y, 'layers.Add()([x, y])': lambda x, y: layers.Add()([x, y])}


def encoder(add, before, blocks):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None,), dtype='int32')
    x = layers.Embedding(20, 16, mask_zero=True, embeddings_initializer='normal')(inputs)
    for _ in range(blocks):
        seen = layers.LayerNormalization()(x) if before else x
        x = add(x, layers.MultiHeadAttention(4, 4)(seen, seen))
        x = x if before else layers.LayerNormalization()(x)
    return keras.Model(inputs, x)


print('keras', keras.__version__, 'on', keras.backend.backend())
wrong = []
for before in (True, False):
    for name, add in sums.items():
        for blocks in (1, 2):
            model = encoder(add, before, blocks)
            one, other = (ops.convert_to_numpy(model(ids))[:, :3] for ids in (padded, alone))
            gap = float(np.abs(one - other).max())
            wrong += [(name, before)] if gap > 1e-3 else []
            print(f'normalization {"before" if before else "after"} attention, {name}, blocks: {blocks}; three tokens with padding differ from themselves alone by {gap:.2g}')
raise SystemExit(0 if wrong == [('x + y', True), ('x + y', False), ('layers.Add()([x, y])', False)] else 1)
PY
KERAS_BACKEND=jax "$folder/venv/bin/python" "$folder/run.py" || { echo 'this has changed' >&2; exit 1; }
