"""Blocks of queries against blocks of keys that were chosen for each."""
from ..torch_import import torch
from .blocks import chunk_of, from_blocks, hidden_in_blocks, key_blocks, query_blocks
from .products import hide
from .tiles import recomputed


class Chosen:
    """
    Chosen key blocks for each query block: index int64 and kept bool [B, heads, query blocks, chosen], falling in rank, the own
    block foremost where nothing is padded; kept is None where all are. gate in that shape corrects the logits of a block, or None.
    """

    def __init__(self, index, kept, gate=None):
        self.index, self.kept, self.gate = index, kept, gate


class Choice:
    """
    choose(start, stop, width): the Chosen of query blocks start … stop, counted from the first that has a query. widest(last): how
    many blocks any query block up to `last` chooses at most. correct(logits, gate) corrects logits [..., size, width, size].
    """

    def __init__(self, choose, widest, correct=None):
        self.choose, self.widest, self.correct = choose, widest, correct


def attend_chosen(inputs, query, key, value, choice, size):
    """o [B, heads, queries, d]: chunk by chunk of query blocks, each chunk as wide as its last block needs."""
    blocks, first = query_blocks(inputs, query * inputs.scale, size)
    keys, values = key_blocks(inputs, key, size), key_blocks(inputs, value, size)
    hidden = hidden_in_blocks(inputs, size)
    chunk = chunk_of(inputs, size, choice.widest(keys.shape[2] - 1) * size)
    outputs = []
    for start in range(0, blocks.shape[2], chunk):
        stop = min(blocks.shape[2], start + chunk)
        chosen = choice.choose(start, stop, choice.widest(first + stop - 1))
        body = one_chunk(inputs, chosen.index, masks(inputs, chosen, hidden, first + start, size), choice.correct)
        outputs.append(recomputed(body, blocks[:, :, start:stop], keys, values, chosen.gate))
    return from_blocks(inputs, outputs[0] if len(outputs) == 1 else torch.cat(outputs, 2), first)


class Masks:
    """What a chunk may not see: own [size, size] of the foremost block; others, broadcasts to [B, heads, chunk, size, width, size]."""

    def __init__(self, own, others):
        self.own, self.others = own, others

    def hide(self, logits):
        """Hides both in logits [B, heads, chunk, size, width, size], which are overwritten."""
        if self.own is not None:
            hide(logits[:, :, :, :, 0], self.own)
        return hide(logits, self.others)


def masks(inputs, chosen, hidden, first, size):
    """The masks of a chunk whose first query block is `first`; hidden [1 or batch, blocks, size] are padded keys and those past the last."""
    row = torch.arange(size, device=inputs.device)
    later = row > row[:, None] if inputs.causal else None  # Blocks before the query's own lie before it altogether.
    dropped = None if chosen.kept is None else ~chosen.kept[:, :, :, None, :, None]
    if inputs.padding is None and (inputs.causal or inputs.keys % size == 0):
        return Masks(later, dropped)
    batch = torch.arange(hidden.shape[0], device=inputs.device).view(-1, 1, 1, 1)
    places = hidden[batch, chosen.index][:, :, :, None]
    if dropped is not None:
        places = places | dropped
    if later is not None:
        own = torch.arange(first, first + chosen.index.shape[2], device=inputs.device)[:, None] == chosen.index
        places = places | (own[:, :, :, None, :, None] & later[:, None])
    return Masks(None, places)


def one_chunk(inputs, index, hidden, correct):
    """The attention of one chunk, as a function of its queries [B, heads, chunk, size, d], all key and value blocks, and the gate."""

    def body(query, keys, values, gate):
        size, width = query.shape[3], index.shape[3]
        logits = query @ gathered(inputs, keys, index).flatten(3, 4).transpose(-1, -2)
        logits = logits.view(*query.shape[:4], width, size)
        if gate is not None:
            logits = correct(logits, gate[:, :, :, None, :, None])
        weight = torch.softmax(hidden.hide(logits).flatten(4), -1)
        output = weight @ gathered(inputs, values, index).flatten(3, 4)
        if not inputs.rows_may_be_empty:
            return output
        return output.masked_fill(hidden.others.flatten(4).all(-1, keepdim=True), 0)

    return body


def gathered(inputs, blocks, index):
    """blocks [B, kvHeads, blocks, size, d] at index [B, heads, chunk, width]: [B, heads, chunk, width, size, d]."""
    count, size, dim = blocks.shape[2:]
    head = torch.arange(inputs.heads, device=inputs.device) // inputs.group
    first = (torch.arange(inputs.batch, device=inputs.device)[:, None] * inputs.kv_heads + head)[:, :, None, None] * count
    chosen = blocks.reshape(-1, size * dim).index_select(0, (index + first).reshape(-1))
    return chosen.view(*index.shape, size, dim)
