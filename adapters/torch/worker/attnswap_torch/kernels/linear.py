"""Linear attention: a state that keys change and queries read, in chunks of positions."""
import math

from ..torch_import import torch
from .kernel import Kernel

size = 64
# Factors below this are as good as 0; smaller ones are denormal numbers, which are slow.
least_factor = 2.0**-120
least_length = 1e-12


class Settings:
    """The parameters, with what follows from the rule where they leave it open."""

    def __init__(self, parameters, kv_heads):
        self.rule = parameters['rule']
        self.delta = self.rule in ('delta', 'gated-delta')
        self.map = parameters.get('map', 'identity' if self.delta else 'elu')
        self.normalized = parameters.get('norm', 'none' if self.delta or self.map == 'identity' else 'sum') == 'sum'
        self.beta = parameters.get('beta', 1)
        self.gammas = [1.0] * kv_heads
        if self.rule in ('gated', 'gated-delta'):
            self.gammas = [parameters.get('decay', 1 - 2.0 ** (-5 - head)) for head in range(kv_heads)]


def chunked(inputs, _):
    """Dense products inside of a chunk, a state [B, kvHeads, 1, d, columns] from one chunk to the next; in f32 whatever the dtype."""
    settings = Settings(inputs.parameters, inputs.kv_heads)

    def run(query, key, value):
        query, key = features(query.float(), settings), features(key.float(), settings)
        value = value.float()
        if inputs.padding is not None:
            key = key * (~inputs.padding)[:, None, :, None]
        if settings.normalized:
            value = torch.cat([value, torch.ones_like(value[..., :1])], -1)
        read = one_state(inputs, query, key, value) if settings.rule == 'linear' and not inputs.causal else over_chunks(inputs, settings, query, key, value)
        if settings.normalized:
            total = read[..., -1:]
            # Not clamped to a tiny number, whose gradient would overflow: a row of no weight is 0/1.
            read = read[..., :-1] / total.masked_fill(total == 0, 1)
        else:
            read = read * inputs.scale
        return read.to(inputs.dtype)

    return Kernel(run)


def features(x, settings):
    """φ(x), of unit length for the delta rules."""
    if settings.map == 'elu':
        x = torch.nn.functional.elu(x) + 1
    elif settings.map == 'relu':
        x = torch.relu(x)
    return torch.nn.functional.normalize(x, dim=-1, eps=least_length) if settings.delta else x


def one_state(inputs, query, key, value):
    """Every query reads the sum over all keys."""
    grouped = query.reshape(inputs.batch, inputs.kv_heads, inputs.group * inputs.queries, -1)
    return (grouped @ (key.transpose(-1, -2) @ value)).reshape(inputs.batch, inputs.heads, inputs.queries, -1)


def over_chunks(inputs, settings, query, key, value):
    """[B, heads, queries, columns]: queries stand at the last positions of the keys."""
    if inputs.offset < 0:
        query = query[:, :, -inputs.offset :]
    query = torch.nn.functional.pad(query, (0, 0, max(0, inputs.offset), 0))
    query, key, value = (cut(inputs, each) for each in (query, key, value))
    decays = Decays(inputs, settings)
    before, after, whole = decays.before, decays.after, decays.whole
    weights = (query @ key.transpose(-1, -2)) * decays.between(inputs.causal)
    entering, leaving = key * before, (key * after).transpose(-1, -2)
    if settings.delta:
        earlier = settings.beta * (key @ key.transpose(-1, -2)) * decays.between(True).tril(-1)
        solved = torch.linalg.solve_triangular(earlier, settings.beta * torch.cat([value, entering], -1), upper=False, unitriangular=True)
        value, entering = solved.split([value.shape[-1], key.shape[-1]], -1)
    state = torch.zeros(inputs.batch, inputs.kv_heads, 1, key.shape[-1], value.shape[-1], device=inputs.device)
    steps = range(key.shape[3])
    read, outputs = query * before, []
    later = state
    for step in steps:
        written = value[:, :, :, step]
        if settings.delta:
            written = written - entering[:, :, :, step] @ state
        outputs.append(read[:, :, :, step] @ state + weights[:, :, :, step] @ written)
        state = state * whole[:, :, :, step] + leaving[:, :, :, step] @ written
    if not inputs.causal:
        read, entering = query * after, entering.transpose(-1, -2)
        for step in reversed(steps):
            outputs[step] = outputs[step] + read[:, :, :, step] @ later
            later = later * whole[:, :, :, step] + entering[:, :, :, step] @ value[:, :, :, step]
    joined = torch.stack(outputs, 3).reshape(inputs.batch, inputs.heads, -1, value.shape[-1])[:, :, max(0, inputs.offset) : inputs.keys]
    return torch.nn.functional.pad(joined, (0, 0, max(0, -inputs.offset), 0))


def cut(inputs, x):
    """[B, heads, keys, width] → [B, kvHeads, group or 1, chunks, size, width], the last chunk filled up with zeros."""
    filled = torch.nn.functional.pad(x, (0, 0, 0, -x.shape[2] % size))
    return filled.reshape(inputs.batch, inputs.kv_heads, -1, filled.shape[2] // size, size, x.shape[-1])


class Decays:
    """γ to the number of unpadded keys between two positions of a chunk, [B or 1, kvHeads, 1, chunks, …]: ratios, never quotients of what has decayed."""

    def __init__(self, inputs, settings):
        kept = torch.ones(1, inputs.keys, device=inputs.device) if inputs.padding is None else (~inputs.padding).float()
        kept = torch.nn.functional.pad(kept, (0, -inputs.keys % size))
        self.counts = kept.view(kept.shape[0], 1, 1, -1, size, 1).cumsum(4)
        logs = [math.log(gamma) for gamma in settings.gammas]
        self.logs = torch.tensor(logs, dtype=torch.float32, device=inputs.device).view(1, -1, 1, 1, 1, 1)
        total = self.counts[..., -1:, :]
        self.before, self.after, self.whole = self.power(self.counts), self.power(total - self.counts), self.power(total)

    def power(self, exponent):
        return (self.logs * exponent).clamp(min=math.log(least_factor)).exp()

    def between(self, causal):
        factor = self.power((self.counts - self.counts.transpose(-1, -2)).abs())
        return factor.tril() if causal else factor
