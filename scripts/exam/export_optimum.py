"""python export_optimum.py FOLDER [NAME…]: the same architectures by Optimum, decoders with a past; FOLDER/NAME.optimum[-FILE].onnx, beside each a .json.

An encoder–decoder is four files: encoder, decoder, decoder with a past, and both decoders merged. A file that is there already is left.
"""
import json
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import transformers

from architectures import FAMILIES, LAYERS
from export import built, fail, note

warnings.filterwarnings('ignore')
transformers.logging.set_verbosity_error()
TASKS = {'encoder': 'feature-extraction', 'decoder': 'text-generation-with-past', 'both': 'text2text-generation-with-past', 'image': 'feature-extraction'}
# Attention sites of an encoder–decoder's files; the merged decoder holds those of the decoder in each of its two branches.
SITES = {'encoder_model': LAYERS, 'decoder_model': 2 * LAYERS, 'decoder_with_past_model': 2 * LAYERS, 'decoder_model_merged': 4 * LAYERS}

# Optimum exports pooled states too: SigLIP pools by the attention of a learned query.
POOLED = {'siglip-vision': 1}


def export(folder, name, family, row):
    from optimum.exporters.onnx import onnx_export_from_model

    with tempfile.TemporaryDirectory() as out:
        onnx_export_from_model(built(name, row, 'sdpa'), out, task=TASKS[family], do_validation=False, no_post_process=False, slim=False)
        for file in sorted(Path(out).glob('*.onnx')):
            path = folder / (f'{name}.optimum.onnx' if file.stem == 'model' else f'{name}.optimum-{file.stem}.onnx')
            shutil.copy(file, path)
            note(path, SITES.get(file.stem, row.sites + POOLED.get(name, 0)), 'optimum', '')
            print(path.name, flush=True)


def main(folder, wanted):
    done = folder / 'optimum.done'
    known = set(json.loads(done.read_text())) if done.exists() else set()
    for family, rows in FAMILIES.items():
        for name, row in rows.items():
            if (wanted and name not in wanted) or name in known:
                continue
            try:
                export(folder, name, family, row)
            except Exception as error:  # as in export.py
                fail(folder, f'{name}.optimum', error)
            known.add(name)
            done.write_text(json.dumps(sorted(known)))


if __name__ == '__main__':
    main(Path(sys.argv[1]), sys.argv[2:])
