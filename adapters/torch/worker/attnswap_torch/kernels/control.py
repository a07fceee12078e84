"""The control beside every selection: as many keys as the scores would choose, chosen at random."""
from contextlib import contextmanager

from ..torch_import import torch

generator = None


@contextmanager
def shuffled(wanted, device, seed=0):
    """Within it selections are random, the same for the same shapes."""
    global generator
    generator = torch.Generator(device=device).manual_seed(seed) if wanted else None
    try:
        yield
    finally:
        generator = None


def selecting(scores):
    """The scores that select: as they are, or random ones in the control. What is hidden, or always kept, stays."""
    if generator is None:
        return scores
    drawn = torch.rand(scores.shape, generator=generator, device=scores.device, dtype=torch.float32).to(scores.dtype)
    fixed = torch.isinf(scores) | (scores <= torch.finfo(scores.dtype).min)
    return torch.where(fixed, scores, drawn)
