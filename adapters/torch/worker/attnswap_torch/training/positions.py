"""Where a token is."""
from ..torch_import import torch

base = 10000.0


def sinusoids(length, width, device):
    """[length, width]: sin(p/base^(2i/width)) at 2i, cos of the same at 2i + 1 (Vaswani et al. 2017, section 3.5), from float64."""
    place = torch.arange(length, dtype=torch.float64)[:, None]
    dimension = torch.arange(width)
    angle = place / base ** ((dimension - dimension % 2).double() / width)
    return torch.where(dimension % 2 == 0, angle.sin(), angle.cos()).float().to(device)


def turn_of(testbed, length, dim, device):
    """What positions turn queries and keys by: sines and cosines of both halves, [length, 1, dim] each; None where they turn nothing."""
    angle = angles_of(testbed, length, dim)
    return None if angle is None else tuple(values.repeat(1, 2).float().to(device)[:, None] for values in (angle.sin(), angle.cos()))


def angles_of(testbed, length, dim):
    """The same as angles, float64 [length, dim/2]."""
    if testbed['position'] == 'rotary':
        return torch.arange(length, dtype=torch.float64)[:, None] / base ** (torch.arange(dim // 2, dtype=torch.float64) / (dim // 2))
    return axial(testbed['grid'], length, dim // 2) if testbed['position'] == 'axial' else None


def axial(grid, length, half):
    """Each axis of a grid turns pairs of its own; tokens before the grid do not turn (axialAngles in src/training/positions.ts)."""
    token = torch.arange(length) - grid['globals']
    angles, stride = [], 1
    for axis, size in reversed(list(enumerate(grid['sizes']))):
        pairs = (half - 1 - axis) // len(grid['sizes']) + 1
        place = torch.div(token, stride, rounding_mode='floor') % size
        angles.insert(0, place.double().masked_fill(token < 0, 0)[:, None] / 100 ** (torch.arange(pairs, dtype=torch.float64) / pairs))
        stride *= size
    return torch.cat(angles, -1)


def turned(x, turn):
    """Rotary positions (Su et al. 2021, section 3.2) in halves: x [batch, length, heads, d], dimension m paired with m + d/2; turn from `turn_of`."""
    sin, cos = turn
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat((-second, first), -1) * sin


def slopes(heads, device):
    """ALiBi's slope of each head, 2^(−8(h+1)/heads) (Press et al. 2022, section 3)."""
    return (2.0 ** (-8.0 * (torch.arange(heads, dtype=torch.float64) + 1) / heads)).float().to(device)
