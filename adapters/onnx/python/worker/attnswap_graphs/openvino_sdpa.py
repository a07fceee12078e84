"""OpenVINO's own ScaledDotProductAttention."""
import math

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from .words import Unsupported

types = {'f32': np.float32, 'f16': np.float16}


def build(question, masked):
    """The kernel as a model whose inputs are named as those of the ONNX models. Raises Unsupported."""
    if (question['variant'], question['kernel']) != ('dense', 'sdpa'):
        raise Unsupported(f'OpenVINO has no kernel {question["variant"]}.{question["kernel"]}')
    shape = question['shape']
    batch, heads, queries, keys, dim = (shape[name] for name in ('batch', 'heads', 'queries', 'keys', 'headDim'))
    kind = types[shape['dtype']]
    query = named('query', [batch, heads, queries, dim], kind)
    key, value = (named(name, [batch, shape['kvHeads'], keys, dim], kind) for name in ('key', 'value'))
    mask = named('mask', [batch, keys], bool) if masked else None
    scale = None if math.isclose(question['scale'], 1 / math.sqrt(dim), rel_tol=1e-9) else np.array(question['scale'], kind)
    # Its causal flag counts from the first query and key; attnswap's last query sees the last key.
    flag = shape['causal'] and queries == keys and mask is None
    seen = None if flag else visible(shape, mask)
    full = None if seen is None else ops.logical_or(seen, ops.logical_not(any_of(seen)))
    arguments = [query, *(per_head(tensor, shape) for tensor in (key, value))]
    output = ops.scaled_dot_product_attention(*arguments, attention_mask=full, scale=scale, causal=flag)
    if seen is not None:
        # A row that sees no key is computed as if it saw all of them, and then is zero.
        output = ops.select(any_of(seen), output, np.zeros([], kind))
    return ov.Model([output], [tensor for tensor in (query, key, value, mask) if tensor is not None])


def named(name, shape, kind):
    """An input."""
    parameter = ops.parameter(shape, kind, name)
    parameter.output(0).get_tensor().set_names({name})
    return parameter


def per_head(tensor, shape):
    """Key/value heads repeated for the query heads that read them."""
    batch, heads, groups, keys, dim = (shape[name] for name in ('batch', 'heads', 'kvHeads', 'keys', 'headDim'))
    if heads == groups:
        return tensor
    copies = ops.broadcast(ops.unsqueeze(tensor, 2), np.array([batch, groups, heads // groups, keys, dim], np.int64))
    return ops.reshape(copies, np.array([batch, heads, keys, dim], np.int64), False)


def visible(shape, mask):
    """Which pairs causality and padding leave, booleans that broadcast to `[batch, heads, queries, keys]`; None where they leave all."""
    queries, keys = shape['queries'], shape['keys']
    offset = keys - queries
    hides = shape['causal'] and not (queries == 1 and offset >= 0)
    causal = ops.constant(np.tri(queries, keys, offset, dtype=bool)[None, None]) if hides else None
    kept = None if mask is None else ops.unsqueeze(mask, np.array([1, 2]))
    if causal is None or kept is None:
        return kept if causal is None else causal
    return ops.logical_and(causal, kept)


def any_of(seen):
    """Whether a row sees any key: `[…, queries or 1, 1]`."""
    return ops.reduce_logical_or(seen, np.array([-1]), True)
