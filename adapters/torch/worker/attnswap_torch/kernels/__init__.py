"""The kernels: one file a variant, or a way of computing it."""
from ..catalogue import biased
from ..unsupported import Unsupported
from . import block_topk, dense, flex, gated, grid_window, hierarchical, linear, multihead, sdpa, topk, window

builders = {
    'dense.fused': sdpa.fused,
    'dense.naive': dense.naive,
    'dense.tiled': dense.tiled,
    'dense.flash': sdpa.flash,
    'dense.efficient': sdpa.efficient,
    'dense.cudnn': sdpa.cudnn,
    'dense.math': sdpa.math,
    'dense.compiled': dense.compiled,
    'dense.compiled-naive': dense.compiled_naive,
    'dense.flex': flex.dense,
    'dense.mha': multihead.mha,
    'topk.tiled': topk.tiled,
    'window.tiled': window.tiled,
    'window.flex': flex.window,
    'grid-window.tiled': grid_window.tiled,
    'gated.tiled': gated.tiled,
    'hierarchical.batched': hierarchical.batched,
    'block-topk.blocks': block_topk.blocks,
    'linear.chunked': linear.chunked,
}


def build(name, inputs, backward):
    """The kernel for these inputs. Raises Unsupported."""
    if name not in builders:
        raise Unsupported(f'torch has no kernel {name}')
    if inputs.heads % inputs.kv_heads != 0:
        raise Unsupported(f'{inputs.heads} heads are not a multiple of {inputs.kv_heads} key/value heads')
    if inputs.bias is not None and name not in biased:
        raise Unsupported(f'{name} takes no bias on the logits')
    return builders[name](inputs, backward)
