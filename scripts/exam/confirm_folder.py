"""python confirm_folder.py NAME FOLDER SWAPPED: a model of wider.py in plain transformers, with and without what `swap` wrote. Prints how far its first
output differs where tokens are kept, by its size, in runs without padding and with padding on either side: {"ran", "largest"}.
"""
import json
import math
import sys

import torch
import transformers

from export import sample
from wider import WIDER


def feeds(inputs, length, side):
    torch.manual_seed(length)
    sizes = {'batch': 2, 'sequence': length, 'decoder_sequence': length // 2}
    given = {name: sample(role, [sizes.get(size, size) for size in dims]) for name, (role, dims) in inputs.items()}
    if side is not None:
        hidden = slice(0, length // 3) if side == 'left' else slice(length - length // 3, None)
        given['attention_mask'][1, hidden] = 0
    return given


def first(model, given, decodes):
    with torch.no_grad():
        return model(**given, **({'use_cache': False} if decodes else {}))[0]


def main(name, folder, out):
    row = WIDER[name]
    sys.path.insert(0, out)
    from attnswap_attention import swapped

    def opened():
        return getattr(transformers, row.model).from_pretrained(folder, **row.build).eval()

    original, other = opened(), swapped(opened())
    largest = ran = 0
    for length in (12, 100):
        for side in (None, 'left', 'right') if 'attention_mask' in row.inputs else (None,):
            given = feeds(row.inputs, length, side)
            wanted, got = (first(model, given, row.decodes) for model in (original, other))
            mask = given.get('attention_mask')
            if mask is not None and wanted.shape[:2] == mask.shape:
                wanted, got = wanted[mask == 1], got[mask == 1]
            difference = float((wanted - got).norm() / wanted.norm())
            # NaN is larger than nothing.
            largest = max(largest, difference if math.isfinite(difference) else sys.float_info.max)
            ran += 1
    print(json.dumps({'ran': ran, 'largest': largest}))


if __name__ == '__main__':
    main(*sys.argv[1:])
