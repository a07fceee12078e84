"""A window of keys around each query, and a few global ones."""
from ..torch_import import torch
from .blocks import chunk_of, from_blocks, query_blocks
from .dense import attend
from .kernel import Kernel
from .products import hide
from .tiles import over_query_tiles, recomputed
from .visible import bias_of, with_bias


def tiled(inputs, _):
    """Blocks of queries against the span of keys that their windows cover; global rows apart."""
    parameters = inputs.parameters
    return Kernel(lambda query, key, value: windowed(inputs, query, key, value, parameters['w'], parameters['globals']))


def block_size(w):
    """Queries of a block: a power of 2 from 16 to 128, near the window, so that few products outside it are computed."""
    return min(128, max(16, 1 << (w.bit_length() - 1)))


def windowed(inputs, query, key, value, w, global_count):
    """o [B, heads, queries, d]; heads of query and of key and value in proportion."""
    query = query * inputs.scale
    output = windows(inputs, query, key, value, w, min(global_count, inputs.keys))
    global_rows = max(0, min(inputs.queries, global_count - inputs.offset))
    if global_rows == 0:
        return output

    def body(tile, keys, values, hidden, start):
        return attend(inputs, tile, keys, values, hidden, bias_of(inputs, start, start + tile.shape[2], keys.shape[2]))

    seeing_all = over_query_tiles(inputs, query, key, value, body, 0, global_rows)
    return torch.cat([seeing_all, output[:, :, global_rows:]], 2)


def windows(inputs, query, key, value, w, global_count):
    """The windows' rows, as if no query were global."""
    size = block_size(w)
    blocks, first = query_blocks(inputs, query, size)
    reach = w - 1 if inputs.causal else w // 2
    if inputs.window is not None:
        reach = min(reach, inputs.window[0])
    span = min(inputs.keys, size + reach + (0 if inputs.causal else reach))
    chunk = chunk_of(inputs, size, span + global_count)
    outputs = []
    for start in range(0, blocks.shape[2], chunk):
        tile = blocks[:, :, start : start + chunk]
        position = size * (first + start + torch.arange(tile.shape[2], device=inputs.device))
        begin = (position - reach).clamp(min=0).clamp(max=inputs.keys - span)
        index = begin[:, None] + torch.arange(span, device=inputs.device)
        rows = position[:, None] + torch.arange(size, device=inputs.device)
        hidden = outside(inputs, rows, index, reach, global_count)
        bias = added(inputs, rows, index, global_count)
        outputs.append(recomputed(one_chunk(inputs, index, hidden, global_count, bias), tile, key, value))
    return from_blocks(inputs, outputs[0] if len(outputs) == 1 else torch.cat(outputs, 2), first)


def outside(inputs, rows, index, reach, global_count):
    """
    What each row may not see of global keys and span: bool [1 or batch, 1, chunk, size, globals + span]; rows [chunk, size],
    index [chunk, span].
    """
    row, key = rows[:, :, None], index[:, None, :]
    hidden = (key < row - reach) | (key > (row if inputs.causal else row + reach)) | (key < global_count)
    always = torch.arange(global_count, device=inputs.device)
    before = (always > row) if inputs.causal else torch.zeros_like(row, dtype=torch.bool).expand(-1, -1, global_count)
    hidden = torch.cat([before, hidden], -1)[None, None]
    if inputs.padding is None:
        return hidden
    places = torch.cat([always.expand(index.shape[0], -1), index], -1)
    return hidden | inputs.padding[:, places][:, None, :, None]


def added(inputs, rows, index, global_count):
    """
    What is added to the logits of each row, of global keys and span: [1 or batch, 1 or heads, chunk, size, globals + span], anything where a
    row has no query; None where nothing is.
    """
    if inputs.bias is None:
        return None
    query = (rows - inputs.offset).clamp(0, inputs.queries - 1)[:, :, None]
    places = torch.cat([torch.arange(global_count, device=inputs.device).expand(index.shape[0], -1), index], -1)[:, None]
    return inputs.bias.expand(-1, -1, inputs.queries, inputs.keys)[:, :, query, places]


def one_chunk(inputs, index, hidden, global_count, bias=None):
    """Attention of a chunk of blocks, as a function of its queries [B, heads, chunk, size, d], key and value [B, kvHeads, keys, d]."""

    def spans(values):
        chosen = values.index_select(2, index.view(-1)).view(*values.shape[:2], *index.shape, values.shape[-1])
        if global_count == 0:
            return chosen
        return torch.cat([values[:, :, None, :global_count].expand(-1, -1, index.shape[0], -1, -1), chosen], 3)

    def body(query, key, value):
        batch, heads, chunk, size, dim = query.shape
        group = heads // key.shape[1]
        folded = query.view(batch, -1, group, chunk, size, dim).transpose(2, 3).reshape(batch, -1, chunk, group * size, dim)
        logits = (folded @ spans(key).transpose(-1, -2)).view(batch, -1, chunk, group, size, hidden.shape[-1])
        shown = hidden.view(hidden.shape[0], 1, chunk, 1, size, -1)
        # Heads of a group have biases of their own, or all heads share one.
        parted = None if bias is None else bias.unflatten(1, (1, 1) if bias.shape[1] == 1 else (-1, group)).transpose(2, 3)
        logits, shown = with_bias(logits, shown, parted)
        weight = torch.softmax(hide(logits, shown), -1).view(batch, -1, chunk, group * size, hidden.shape[-1])
        output = (weight @ spans(value)).view(batch, -1, chunk, group, size, dim)
        if inputs.rows_may_be_empty:
            output = output.masked_fill(shown.all(-1, keepdim=True), 0)
        return output.transpose(2, 3).reshape(batch, heads, chunk, size, dim)

    return body
