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
    if inputs.padding is None:
        return hidden
    padded = inputs.padding[:, None, None, :end]
    return padded if hidden is None else hidden | padded


def keys_end(inputs, stop):
    """One past the last key that any query before `stop` may see."""
    return max(0, min(inputs.keys, stop + inputs.offset)) if inputs.causal else inputs.keys
