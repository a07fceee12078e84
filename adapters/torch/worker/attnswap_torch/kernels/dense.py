"""Dense attention out of matmul and softmax."""
from ..torch_import import torch
from ..unsupported import Unsupported
from .kernel import Kernel
from .products import hide, score, weigh, zero_empty
from .tiles import over_query_tiles
from .visible import hidden_keys


def attend(inputs, query, key, value, hidden):
    """softmax(q·k hidden)·v, query already scaled: [B, heads, t, d]."""
    weight = torch.softmax(hide(score(query, key), hidden), -1)
    return zero_empty(weigh(weight, value), hidden, inputs.rows_may_be_empty)


def whole(inputs):
    """The n² logits at once."""

    def run(query, key, value):
        hidden = hidden_keys(inputs, 0, inputs.queries, inputs.keys)
        return attend(inputs, query * inputs.scale, key, value, hidden)

    return run


def naive(inputs, _):
    """matmul, softmax, matmul."""
    return Kernel(whole(inputs), ['the n² logits were materialised'])


def tiled(inputs, _):
    """matmul, softmax, matmul over tiles of queries; under autograd each tile is computed again in the backward pass."""

    def body(query, key, value, hidden, _):
        return attend(inputs, query, key, value, hidden)

    return Kernel(lambda query, key, value: over_query_tiles(inputs, query * inputs.scale, key, value, body))


def compiled(inputs, _):
    """`naive` through torch.compile."""
    if not hasattr(torch, 'compile'):
        raise Unsupported('this PyTorch has no torch.compile')
    return Kernel(torch.compile(whole(inputs), dynamic=False), tried=True, compiled=True)
