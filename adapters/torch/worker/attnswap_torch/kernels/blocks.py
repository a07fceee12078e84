"""Positions cut into blocks: query i stands at position i + (keys − queries)."""
from ..torch_import import torch

largest_chunk = 2**20


def query_blocks(inputs, query, size):
    """
    query [B, heads, queries, d] by blocks of positions: [B, heads, blocks, size, d], zeros where a block has no query, and the
    index of the first block that has one.
    """
    first = inputs.offset // size
    front = inputs.offset - first * size
    back = -inputs.keys % size
    if front or back:
        query = torch.nn.functional.pad(query, (0, 0, front, back))
    return query.reshape(inputs.batch, query.shape[1], -1, size, query.shape[-1]), first


def from_blocks(inputs, output, first):
    """The reverse of `query_blocks`: [B, heads, blocks, size, d] → [B, heads, queries, d]."""
    front = inputs.offset - first * output.shape[3]
    return output.flatten(2, 3)[:, :, front : front + inputs.queries]


def key_blocks(inputs, values, size):
    """key or value [B, kvHeads, keys, d] by blocks: [B, kvHeads, blocks, size, d], zeros past the last key."""
    back = -inputs.keys % size
    if back:
        values = torch.nn.functional.pad(values, (0, 0, 0, back))
    return values.reshape(inputs.batch, values.shape[1], -1, size, values.shape[-1])


def hidden_in_blocks(inputs, size):
    """Padded keys and those past the last one: bool [1 or batch, blocks, size]."""
    hidden = inputs.padding if inputs.padding is not None else torch.zeros(1, inputs.keys, dtype=torch.bool, device=inputs.device)
    back = -inputs.keys % size
    return torch.nn.functional.pad(hidden, (0, back), value=True).view(hidden.shape[0], -1, size)


def block_means(inputs, values, size):
    """Means over each block's unpadded positions, [B, kvHeads, blocks, d] in f32 (0 over none); their number [1 or batch, blocks]."""
    hidden = hidden_in_blocks(inputs, size)
    tokens = (~hidden).sum(-1)
    blocks = key_blocks(inputs, values, size).float()
    if inputs.padding is not None:
        blocks = blocks.masked_fill(hidden[:, None, :, :, None], 0)
    return blocks.sum(3) / tokens.clamp(min=1)[:, None, :, None], tokens


def speaking_queries(inputs, query, size):
    """
    The query that speaks for each block, [B, heads, blocks from the first, d] in f32: the first one when causal, else the mean, over
    the unpadded positions where queries and keys are equally many.
    """
    blocks, first = query_blocks(inputs, query, size)
    if inputs.causal:
        front = inputs.offset - first * size
        return torch.cat([blocks[:, :, :1, front], blocks[:, :, 1:, 0]], 2).float(), first
    blocks = blocks.float()
    position = torch.arange(blocks.shape[2] * size, device=inputs.device).view(1, -1, size) + first * size
    absent = (position < inputs.offset) | (position >= inputs.keys)
    if inputs.padding is not None and inputs.offset == 0:
        absent = hidden_in_blocks(inputs, size)
        blocks = blocks.masked_fill(absent[:, None, :, :, None], 0)
    return blocks.sum(3) / (~absent).sum(-1).clamp(min=1)[:, None, :, None], first


def chunk_of(inputs, size, width):
    """Blocks of `size` queries taken at once against `width` keys each: as many as leave their logits within 2²² elements."""
    return max(1, largest_chunk // (inputs.batch * inputs.heads * size * width))
