"""Whole blocks of keys, chosen by the score of block means."""
from ..torch_import import torch
from .control import selecting
from .blocks import block_means, speaking_queries
from .kernel import Kernel
from .selected import Choice, Chosen, attend_chosen


def blocks(inputs, _):
    """Block 0, the own block and the best others, gathered: products of the kept blocks alone."""
    size = inputs.parameters['block']
    total = -(-inputs.keys // size)

    def run(query, key, value):
        with torch.no_grad():
            index, kept = ranked(inputs, query.detach(), key.detach(), size)

        def widest(last):
            return min(inputs.parameters['blocks'], last + 1 if inputs.causal else total)

        def choose(start, stop, width):
            all_kept = inputs.padding is None and (not inputs.causal or inputs.offset // size + start + 1 >= width)
            return Chosen(index[:, :, start:stop, :width], None if all_kept else kept[:, :, start:stop, :width])

        return attend_chosen(inputs, query, key, value, Choice(choose, widest), size)

    return Kernel(run)


def ranked(inputs, query, key, size):
    """All key blocks for each query block in falling order of score, and which may be kept at all: [B, heads, query blocks, key blocks]."""
    mean, tokens = block_means(inputs, key, size)
    speakers, first = speaking_queries(inputs, query, size)
    scores = grouped_scores(inputs, speakers, mean) * inputs.scale
    own = torch.arange(first, first + scores.shape[2], device=inputs.device)[:, None]
    block = torch.arange(scores.shape[3], device=inputs.device)
    scores = scores.masked_fill(block == 0, torch.finfo(scores.dtype).max).masked_fill(block == own, float('inf'))
    barred = (tokens == 0)[:, None, None, :]
    if inputs.causal:
        barred = barred | (block > own)
    ordered = torch.sort(selecting(scores.masked_fill(barred, float('-inf'))), descending=True, stable=True)
    return ordered.indices, ordered.values > float('-inf')


def grouped_scores(inputs, speakers, mean):
    """speakers [B, heads, query blocks, d] · mean [B, kvHeads, key blocks, d] in f32: [B, heads, query blocks, key blocks]."""
    folded = speakers.reshape(inputs.batch, inputs.kv_heads, -1, inputs.head_dim)
    return (folded @ mean.transpose(-1, -2)).view(inputs.batch, inputs.heads, -1, mean.shape[2])
