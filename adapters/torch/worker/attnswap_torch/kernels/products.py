"""The two products of attention and the softmax between them."""
from ..torch_import import torch


def score(query, key):
    """q·k: query [B, heads, t, d], key [B, kvHeads, m, d] → [B, heads, t, m]. A group's queries are one matrix: keys are not copied."""
    batch, heads, rows, dim = query.shape
    if heads == key.shape[1]:
        return query @ key.transpose(-1, -2)
    grouped = query.reshape(batch, key.shape[1], -1, dim) @ key.transpose(-1, -2)
    return grouped.view(batch, heads, rows, -1)


def weigh(weight, value):
    """p·v: weight [B, heads, t, m], value [B, kvHeads, m, d] → [B, heads, t, d]."""
    batch, heads, rows, columns = weight.shape
    if heads == value.shape[1]:
        return weight @ value
    grouped = weight.reshape(batch, value.shape[1], -1, columns) @ value
    return grouped.view(batch, heads, rows, -1)


def hide(logits, hidden):
    """
    The logits with the least finite number where `hidden` (bool, broadcast): its weight is exactly 0 beside any other key, and
    a row of nothing else stays free of NaN. Overwrites `logits`, which nothing else may read.
    """
    return logits if hidden is None else logits.masked_fill_(hidden, torch.finfo(logits.dtype).min)


def zero_empty(output, hidden, may_be_empty):
    """`output` [..., t, d] with zeros in the rows that `hidden` [..., t, m] hides altogether."""
    if hidden is None or not may_be_empty:
        return output
    return output.masked_fill(hidden.all(-1, keepdim=True), 0)
