"""Dense attention out of matmul and softmax."""
from ..torch_import import torch
from ..unsupported import Unsupported
from .kernel import Kernel
from .products import hide, score, weigh, zero_empty
from .tiles import over_query_tiles
from .visible import bias_of, hidden_keys, with_bias


def attend(inputs, query, key, value, hidden, bias=None):
    """softmax(q·k + bias, hidden)·v, query already scaled: [B, heads, t, d]."""
    logits, hidden = with_bias(score(query, key), hidden, bias)
    weight = torch.softmax(hide(logits, hidden), -1)
    return zero_empty(weigh(weight, value), hidden, inputs.rows_may_be_empty)


def whole(inputs):
    """The n² logits at once."""

    def run(query, key, value):
        hidden = hidden_keys(inputs, 0, inputs.queries, inputs.keys)
        return attend(inputs, query * inputs.scale, key, value, hidden, inputs.bias)

    return run


def naive(inputs, _):
    """matmul, softmax, matmul."""
    return Kernel(whole(inputs), ['the n² logits were materialised'])


def tiled(inputs, _):
    """matmul, softmax, matmul over tiles of queries; under autograd each tile is computed again in the backward pass."""

    def body(query, key, value, hidden, start):
        return attend(inputs, query, key, value, hidden, bias_of(inputs, start, start + query.shape[2], key.shape[2]))

    return Kernel(lambda query, key, value: over_query_tiles(inputs, query * inputs.scale, key, value, body))


def usual(inputs):
    """softmax(q·kᵀ/√d + mask)·v, as most code spells it: torch.compile may put its own attention operator in the place of this."""
    hidden = hidden_keys(inputs, 0, inputs.queries, inputs.keys)
    least = torch.finfo(inputs.dtype).min / 2
    mask = None if hidden is None else torch.zeros(hidden.shape, dtype=inputs.dtype, device=inputs.device).masked_fill(hidden, least)
    divisor = 1 / inputs.scale

    def run(query, key, value):
        if inputs.group > 1:
            key, value = (given.repeat_interleave(inputs.group, 1) for given in (key, value))
        logits = query @ key.transpose(-2, -1) / divisor
        weight = torch.softmax(logits if mask is None else logits + mask, -1)
        return zero_empty(weight @ value, hidden, inputs.rows_may_be_empty)

    return run


def compiled(inputs, _):
    """The usual spelling through torch.compile."""
    return through_compiler(usual(inputs))


def compiled_naive(inputs, _):
    """`naive` through torch.compile."""
    return through_compiler(whole(inputs))


def through_compiler(run):
    """A kernel that torch.compile makes. Raises Unsupported."""
    if not hasattr(torch, 'compile'):
        raise Unsupported('this PyTorch has no torch.compile')
    return Kernel(torch.compile(run, dynamic=False), tried=True, compiled=True, logits=True)
