"""Queries in tiles, one after the other: logits of one tile at a time, so memory grows with n and not with n²."""
from ..torch_import import torch
from .visible import hidden_keys, keys_end

rows = 128

# Switched off where sequences are short and their logits may be kept: the backward pass then computes nothing again.
recompute = True


def over_query_tiles(inputs, query, key, value, body, first=0, last=None):
    """
    Joins body(query tile [B, heads, t, d], key and value [B, kvHeads, end, d], hidden, start) over the tiles of queries
    first … last: [B, heads, last − first, d]. `end` and `hidden` (visible.py) are what causality and padding leave.
    """
    last = inputs.queries if last is None else last
    outputs = []
    for start in range(first, last, rows):
        stop = min(last, start + rows)
        end = keys_end(inputs, stop)
        tile = query[:, :, start:stop]
        if end == 0:
            outputs.append(torch.zeros_like(tile))
            continue
        hidden = hidden_keys(inputs, start, stop, end)
        outputs.append(recomputed(body, tile, key[:, :, :end], value[:, :, :end], hidden, start))
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs, 2)


def recomputed(body, *arguments):
    """body(*arguments); under autograd it is run again in the backward pass, instead of keeping every tile's logits."""
    if not recompute or not torch.is_grad_enabled() or not any(isinstance(given, torch.Tensor) and given.requires_grad for given in arguments):
        return body(*arguments)
    from torch.utils.checkpoint import checkpoint

    return checkpoint(body, *arguments, use_reentrant=False, preserve_rng_state=False)
