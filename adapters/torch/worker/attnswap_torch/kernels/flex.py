"""flex_attention, compiled: the masks as functions, and blocks of 128 that they hide altogether skipped."""
from ..torch_import import torch
from ..unsupported import Unsupported
from .kernel import Kernel


def dense(inputs, _):
    """Causality and padding as a block mask."""
    return kernel(inputs, None)


def window(inputs, _):
    """The window and the global tokens as a block mask."""
    w, global_count, causal = inputs.parameters['w'], inputs.parameters['globals'], inputs.causal

    def seen(position, key):
        near = (key > position - w) if causal else ((position - key).abs() <= w // 2)
        return near | (key < global_count) | (position < global_count)

    return kernel(inputs, seen)


def kernel(inputs, seen):
    """flex_attention with causality, padding and `seen(position, key)`. Raises Unsupported."""
    flex_attention, create_block_mask = features()
    mask = mask_of(inputs, seen)
    block_mask = None
    if mask is not None:
        batch = None if inputs.padding is None else inputs.batch
        block_mask = create_block_mask(mask, batch, None, inputs.queries, inputs.keys, device=inputs.device)
    compiled = torch.compile(flex_attention, dynamic=False)
    options = {'block_mask': block_mask, 'scale': inputs.scale, 'enable_gqa': inputs.group > 1}
    return Kernel(lambda query, key, value: compiled(query, key, value, **options), tried=True, compiled=True)


def features():
    """flex_attention and create_block_mask. Raises Unsupported."""
    try:
        from torch.nn.attention.flex_attention import create_block_mask, flex_attention
    except ImportError:
        raise Unsupported('this PyTorch has no flex_attention') from None
    return flex_attention, create_block_mask


def mask_of(inputs, seen):
    """mask_mod(batch, head, query, key), or None where every query sees every key."""
    offset, causal = inputs.offset, inputs.causal
    kept = None if inputs.padding is None else ~inputs.padding
    if seen is None and kept is None and not causal:
        return None

    def mask(batch, head, query, key):
        position = query + offset
        visible = key >= 0 if seen is None else seen(position, key)
        if causal:
            visible = visible & (key <= position)
        return visible if kept is None else visible & kept[batch, key]

    return mask
