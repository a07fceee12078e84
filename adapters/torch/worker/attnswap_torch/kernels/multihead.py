"""torch.nn.MultiheadAttention as it is used in training and in evaluation, with weights that hand q, k and v on as they are."""
import inspect
import math

from ..torch_import import torch
from ..unsupported import Unsupported
from .kernel import Kernel
from .visible import hidden_keys


def mha(inputs, backward):
    """
    In evaluation without gradients, self-attention with an even number of heads runs one operator of its own, which the module calls where
    query, key and value are one tensor; otherwise the module goes through scaled_dot_product_attention. Raises Unsupported.
    """
    if inputs.group > 1:
        raise Unsupported('nn.MultiheadAttention has no grouped heads')
    layer = identity_layer(inputs).train(backward)
    hidden = hidden_keys(inputs, 0, inputs.queries, inputs.keys)
    # A row that sees nothing is computed as if it saw everything, then zeroed: neither NaN nor its gradient gets out.
    empty = None if hidden is None else hidden.all(-1, keepdim=True)
    masks = {} if hidden is None else mask_options(inputs, hidden & ~empty)
    own_operator = not backward and inputs.queries == inputs.keys and inputs.heads % 2 == 0
    attend = evaluated(layer, masks) if own_operator else through_module(inputs, layer, masks)

    def run(query, key, value):
        output = attend(*(packed(given) for given in (query, key, value)))
        output = output.view(inputs.batch, inputs.queries, inputs.heads, inputs.head_dim).transpose(1, 2)
        return output if empty is None else output.masked_fill(empty, 0)

    flags = ['four projections, here by identity matrices, are part of a call']
    return Kernel(run, [*flags, 'the n² logits were materialised'] if own_operator else flags, tried=True)


def identity_layer(inputs):
    """The module; the queries' projection makes up for a scale that is not 1/√d."""
    width = inputs.heads * inputs.head_dim
    layer = torch.nn.MultiheadAttention(width, inputs.heads, batch_first=True, device=inputs.device, dtype=inputs.dtype).requires_grad_(False)
    identity = torch.eye(width, device=inputs.device, dtype=inputs.dtype)
    layer.in_proj_weight.copy_(torch.cat([identity * (inputs.scale * math.sqrt(inputs.head_dim)), identity, identity]))
    layer.out_proj.weight.copy_(identity)
    for bias in (layer.in_proj_bias, layer.out_proj.bias):
        bias.zero_()
    return layer


def mask_options(inputs, hidden):
    """The module's arguments for what is hidden [1 or batch, 1, queries or 1, keys], True hides."""
    if hidden.shape[0] == 1 and inputs.padding is None:
        return {'attn_mask': hidden[0, 0].expand(inputs.queries, inputs.keys).contiguous()}
    if hidden.shape[2] == 1:
        return {'key_padding_mask': hidden[:, 0, 0].contiguous()}
    every = hidden.expand(inputs.batch, inputs.heads, inputs.queries, inputs.keys)
    return {'attn_mask': every.reshape(-1, inputs.queries, inputs.keys)}


def evaluated(layer, masks):
    """What the module calls for self-attention in evaluation without gradients."""
    mask = masks.get('attn_mask', masks.get('key_padding_mask'))
    kind = None if mask is None else 1 if 'key_padding_mask' in masks else 0 if mask.dim() == 2 else 2
    if kind == 2:
        mask = mask.view(-1, layer.num_heads, *mask.shape[1:])
    weights = (layer.in_proj_weight, layer.in_proj_bias, layer.out_proj.weight, layer.out_proj.bias)

    def attend(query, key, value):
        return torch._native_multi_head_attention(
            query, key, value, layer.embed_dim, layer.num_heads, *weights, mask, need_weights=False, average_attn_weights=True, mask_type=kind
        )[0]

    return attend


def through_module(inputs, layer, masks):
    """A call of the module, with its hint that a mask is the causal one where it means the same."""
    hinted = inputs.causal and inputs.padding is None and inputs.offset == 0 and 'attn_mask' in masks
    if hinted and 'is_causal' in inspect.signature(layer.forward).parameters:
        masks = {**masks, 'is_causal': True}
    return lambda query, key, value: layer(query, key, value, need_weights=False, **masks)[0]


def packed(tensor):
    """[batch, heads, n, d] → [batch, n, heads · d]."""
    return tensor.transpose(1, 2).flatten(2)
