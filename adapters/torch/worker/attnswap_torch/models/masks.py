"""What a mask of transformers says: which keys are padding, and whether attention is causal."""
from ..torch_import import torch


class MoreThanPadding(Exception):
    """A mask that says more than padding and causality."""


class Told:
    """
    Of a mask that was not written out: padding [batch, keys] bool, True removes a key, or None; whether it is causal; and `whole()`,
    the mask that the model's own attention gets, made when it is first asked for.
    """

    def __init__(self, padding, causal, make_whole):
        self.padding, self.causal = padding, causal
        self.make_whole, self.made = make_whole, None

    def whole(self):
        if self.made is None:
            self.made = (self.make_whole(),)
        return self.made[0]


def compact(told, device):
    """A small tensor for the model to hand on, with what it says: a mask of queries × keys is not written out."""
    keep = torch.ones(1, 1, 1, 1, dtype=torch.bool, device=device) if told.padding is None else ~told.padding[:, None, None, :]
    keep.attnswap = told
    return keep


def plain(given):
    """
    (padding, causal) of what transformers asks a mask for, where it is padding and causality alone and the last query stands at the last
    key; else None. `given` are the arguments of a function of AttentionMaskInterface.
    """
    from transformers.masking_utils import bidirectional_mask_function, causal_mask_function

    causal = given['mask_function'] is causal_mask_function
    sizes = [given['q_length'], given['kv_length'], given.get('q_offset', 0), given.get('kv_offset', 0)]
    if not (causal or given['mask_function'] is bidirectional_mask_function) or not all(isinstance(size, int) for size in sizes):
        return None
    queries, keys, before, skipped = sizes
    if skipped != 0 or (causal and before + queries != keys):
        return None
    kept = given.get('attention_mask')
    if kept is None:
        return None, causal
    if kept.shape[-1] != keys:
        return None
    padding = ~kept.bool()
    return padding if bool(padding.any()) else None, causal


def read(mask, queries, keys):
    """
    (padding, causal) of a mask [batch or 1, heads or 1, queries or 1, keys], or of its last axes: bool, True keeps; or added to the logits. Every
    pair is compared. Raises MoreThanPadding.
    """
    mask = mask[(None,) * (4 - mask.dim())]
    keep = mask if mask.dtype == torch.bool else kept_by(mask)
    if keep is None or keep.dim() != 4 or not torch.equal(keep, keep[:, :1].expand_as(keep)):
        raise MoreThanPadding('it adds to logits, or differs from head to head')
    keep = keep[:, 0].expand(-1, queries, keys)
    last = keep[:, -1:]
    padding = None if bool(last.all()) else ~last[:, 0]
    if torch.equal(keep, last.expand_as(keep)):
        return padding, False
    position = torch.arange(queries, device=keep.device)[:, None] + keys - queries
    if torch.equal(keep, last & (torch.arange(keys, device=keep.device) <= position)):
        return padding, True
    raise MoreThanPadding('it hides pairs that padding and causality do not')


def kept_by(bias):
    """Where an added mask keeps a pair, as bool; None where it holds anything but 0 and what removes a pair."""
    keep = bias == 0
    removed = bias <= torch.finfo(bias.dtype).min / 2
    return keep if bool((keep | removed).all()) else None
