"""What a mask of transformers says: which keys are padding, whether attention is causal, within which window, and what else is added to the logits."""
import inspect
from typing import Any, NamedTuple

from ..torch_import import torch


class Mask(NamedTuple):
    """
    padding [batch, keys] bool, True removes a key, or None; whether no query sees a later key; window (left, right), the keys around its own that a
    query sees, or None; bias, which is added to the logits, [batch or 1, heads or 1, queries or 1, keys or 1], or None. causal is None where the
    bias alone tells, and of a single query where nothing does.
    """

    padding: Any = None
    causal: Any = False
    window: Any = None
    bias: Any = None


class MoreThanPadding(Exception):
    """A mask that says more than padding and causality."""


class Told:
    """
    Of a mask that was not written out: what it says, and `whole()`, the mask that the model's own attention gets, made when it is first asked for.
    """

    def __init__(self, padding, causal, window, make_whole):
        self.padding, self.causal, self.window = padding, causal, window
        self.make_whole, self.made = make_whole, None

    def whole(self):
        if self.made is None:
            self.made = (self.make_whole(),)
        return self.made[0]


class Compact(torch.Tensor if torch is not None else object):
    """A small tensor for the model to hand on, with what the mask says in `attnswap`. Whatever a model does to it is done to the whole mask."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        from torch.utils._pytree import tree_map

        def whole(given):
            made = given.attnswap.whole() if isinstance(given, cls) else given
            return given.as_subclass(torch.Tensor) if made is None else made

        if func in looking:
            return super().__torch_function__(func, types, args, kwargs or {})
        return func(*tree_map(whole, args), **tree_map(whole, kwargs or {}))


# What is asked of every tensor that is handed on, by those who hand it on, and is the same of both.
looking = () if torch is None else (torch.Tensor.device.__get__, torch.Tensor.requires_grad.__get__, torch.Tensor.as_subclass)


def compact(told, device):
    """What stands for a mask of queries × keys, which is not written out."""
    keep = torch.ones(1, 1, 1, 1, dtype=torch.bool, device=device) if told.padding is None else ~told.padding[:, None, None, :]
    keep = keep.as_subclass(Compact)
    keep.attnswap = told
    return keep


def plain(given):
    """
    (padding, causal, window) of what transformers asks a mask for, where it says no more and the last query stands at the last key; else None.
    `given` are the arguments of a function of AttentionMaskInterface.
    """
    from transformers.masking_utils import bidirectional_mask_function, causal_mask_function

    function = given['mask_function']
    window = window_of(function)
    causal = function is causal_mask_function or (window is not None and window[1] == 0)
    sizes = [given['q_length'], given['kv_length'], given.get('q_offset', 0), given.get('kv_offset', 0)]
    is_known = causal or window is not None or function is bidirectional_mask_function
    if not is_known or not all(isinstance(size, int) for size in sizes):
        return None
    queries, keys, before, skipped = sizes
    if skipped != 0 or ((causal or window is not None) and before + queries != keys):
        return None
    kept = given.get('attention_mask')
    if kept is None:
        return None, causal, window
    if kept.shape[-1] != keys:
        return None
    padding = ~kept.bool()
    return padding if bool(padding.any()) else None, causal, window


def window_of(function):
    """(left, right) of a mask function of transformers that is a sliding window and nothing else; None for any other."""
    from transformers import masking_utils as known

    parts = closed_over(known, function, 'and_masks.<locals>.and_mask').get('mask_functions', ())
    if len(parts) != 2:
        return None
    for maker, base, right in (
        ('sliding_window_overlay', known.causal_mask_function, lambda size: (size - 1, 0)),
        ('sliding_window_bidirectional_overlay', known.bidirectional_mask_function, lambda size: (size, size)),
    ):
        size = closed_over(known, parts[0], f'{maker}.<locals>.inner_mask').get('sliding_window')
        if isinstance(size, int) and parts[1] is base:
            return right(size)
    return None


def closed_over(module, function, name):
    """What a function of a module's, by its qualified name, was made with; nothing of any other."""
    is_that = getattr(function, '__module__', None) == module.__name__ and getattr(function, '__qualname__', None) == name
    return inspect.getclosurevars(function).nonlocals if is_that else {}


def read(mask, queries, keys):
    """
    (padding, causal) of a mask [batch or 1, heads or 1, queries or 1, keys], or of its last axes: bool, True keeps; or added to the logits. Every
    pair is compared. Raises MoreThanPadding.
    """
    mask = with_four_axes(mask)
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


def end_of(padding):
    """One past the last key that any sequence keeps."""
    kept = (~padding).any(0).nonzero()
    return int(kept.max()) + 1 if len(kept) > 0 else padding.shape[1]


def upto(end, part):
    """Padding or a bias of the keys before `end`; None where there is none."""
    return None if part is None else part[..., :end]


def with_four_axes(mask):
    return mask[(None,) * (4 - mask.dim())]


def kept_by(bias):
    """Where an added mask keeps a pair, as bool; None where it holds anything but 0 and what removes a pair."""
    keep = bias == 0
    removed = bias <= torch.finfo(bias.dtype).min / 2
    return keep if bool((keep | removed).all()) else None


def added(mask, bias, dtype):
    """A mask, bool or added, and a bias or None, as what is added to logits of a dtype: four axes, and nothing below its least number."""
    mask = with_four_axes(mask)
    least = torch.finfo(dtype).min
    if mask.dtype == torch.bool:
        mask = torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(~mask, least)
    total = mask if bias is None else mask + with_four_axes(bias)
    return total.to(dtype).clamp(min=least)
