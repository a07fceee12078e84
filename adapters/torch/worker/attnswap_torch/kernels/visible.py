"""Which keys a query may see."""
from ..torch_import import torch


def hidden_keys(inputs, start, stop, end):
    """
    For queries start … stop and keys 0 … end: bool [1 or batch, 1, stop − start or 1, end], True hides; None where all are seen.
    """
    hidden = None
    first = start + inputs.offset
    if inputs.causal and end > first + 1:
        position = torch.arange(first, stop + inputs.offset, device=inputs.device)
        hidden = (torch.arange(end, device=inputs.device) > position[:, None])[None, None]
    if inputs.window is not None:
        beyond = outside(inputs.window, torch.arange(first, stop + inputs.offset, device=inputs.device), end)
        hidden = beyond if hidden is None else hidden | beyond
    if inputs.padding is None:
        return hidden
    padded = inputs.padding[:, None, None, :end]
    return padded if hidden is None else hidden | padded


def outside(window, position, end):
    """Which of the first `end` keys lie outside the window, (left, right), of queries at these positions: bool [1, 1, rows, end]."""
    key = torch.arange(end, device=position.device)
    left, right = window
    return ((key < position[:, None] - left) | (key > position[:, None] + right))[None, None]


def hidden_too(bias, hidden):
    """What a bias removes, as attnswap defines it (src/contract/inputs.ts), and what is hidden anyhow."""
    removed = bias <= (-8e3 if bias.dtype == torch.float16 else -5e29)
    return removed if hidden is None else hidden | removed


def with_bias(logits, hidden, bias):
    """Logits with a bias or None, and what it and `hidden` hide."""
    return (logits, hidden) if bias is None else (logits + bias, hidden_too(bias, hidden))


def bias_of(inputs, start, stop, end):
    """What is added to the logits of queries start … stop and keys 0 … end; None where nothing is."""
    if inputs.bias is None:
        return None
    return inputs.bias.expand(-1, -1, inputs.queries, inputs.keys)[:, :, start:stop, :end]


def keys_end(inputs, stop):
    """One past the last key that any query before `stop` may see."""
    return max(0, min(inputs.keys, stop + inputs.offset)) if inputs.causal else inputs.keys
