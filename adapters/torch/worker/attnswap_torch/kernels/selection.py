"""The largest of each row, a tie going to the lower index: torch.topk alone promises nothing about ties."""
from decimal import Decimal
from fractions import Fraction

from ..torch_import import torch
from .control import selecting


def largest(scores, counts, most):
    """
    The `counts` largest of each row of scores [..., t, m] (hidden ones hold the dtype's least number): index [..., t, most] in
    falling order, and kept, bool in that shape. counts: int64, broadcasts to [..., t, 1], each at most `most` ≤ m.
    """
    scores = selecting(scores)
    columns = scores.shape[-1]
    values, index = torch.topk(scores, min(most + 1, columns))
    if most < columns:
        counts = counts.expand(*scores.shape[:-1], 1)
        tied = ties_at_cut(values, counts)
        if bool(tied.any()):
            index[tied] = torch.sort(scores[tied], descending=True, stable=True).indices[:, : index.shape[-1]]
    index = index[..., :most]
    return index, (torch.arange(most, device=scores.device) < counts).expand(index.shape)


def ties_at_cut(values, counts):
    """Rows whose last kept and first dropped score are equal, bool [..., t]; values [..., t, ≥ counts], falling."""
    last = values.gather(-1, (counts - 1).clamp(min=0))
    following = values.gather(-1, counts.clamp(max=values.shape[-1] - 1))
    cut = (counts > 0) & (counts < values.shape[-1]) & (last > torch.finfo(values.dtype).min)
    return (cut & (last == following)).squeeze(-1)


def shares(fraction, most):
    """⌈fraction·count⌉ for count = 0 … most, exactly: `fraction` is the decimal that its shortest digits say."""
    exact = fraction if isinstance(fraction, Fraction) else decimal(fraction)
    return [-(-exact.numerator * count // exact.denominator) for count in range(most + 1)]


def decimal(number):
    """0.1 as one tenth."""
    return Fraction(Decimal(repr(number)))
