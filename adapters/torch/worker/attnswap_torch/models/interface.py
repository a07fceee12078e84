"""Attention of our own in a model: in transformers, a function in AttentionInterface and its twin in AttentionMaskInterface."""
import functools
import inspect
import sys

from ..torch_import import torch
from ..unsupported import Unsupported
from . import masks, plain
from .configs import Asked, asked_of, configs, is_config, pretrained
from .placed import Placed

# Of the package, so that two models with attention of two versions have two names.
name = __name__.partition('.')[0]
served = ('sdpa', 'eager')

# Sees every call; see observe.py.
observer = None


def install(model):
    """Finds out which attention a model asks for: its name. The model still computes that. Raises Unsupported."""
    original = prepare(model)
    for module in model.modules():
        module.__dict__['attnswap_original'] = 'sdpa'
    # What is inside comes later: a part, such as a backbone, may ask for another attention than what it is a part of.
    for part in model.modules():
        config = part.__dict__.get('config')
        if is_config(config):
            for module in part.modules():
                module.__dict__['attnswap_original'] = asked_of(config)
    lead(model)
    release(model)
    return original


def register():
    """Makes this module's attention known to transformers."""
    from transformers.masking_utils import AttentionMaskInterface
    from transformers.modeling_utils import AttentionInterface

    AttentionInterface.register(name, attention)
    AttentionMaskInterface.register(name, mask)


def prepare(model):
    """Registers this module's attention with transformers. The names of the attention that the model's parts ask for. Raises Unsupported."""
    parts = pretrained(model)
    if not parts:
        return 'sdpa'
    register()
    names = sorted({str(asked_of(part.config)) for part in parts})
    if not set(names) <= set(served):
        raise Unsupported(f'{type(model).__name__} asks for the attention {" and ".join(names)}, expected {" or ".join(served)} in all its parts')
    return ' and '.join(names)


def lead(model):
    """
    Leads the attention of the model through this module: by the interface, or, of parts that do not go by it, where they call the operator or
    nn.MultiheadAttention. What they compute otherwise is seen elsewhere.
    """
    asked = [(config, asked_of(config)) for config in configs(model)]
    past, parts, within = set(map(id, model.modules())), pretrained(model), set()
    for part in parts:
        # It sets those within it, too.
        if id(part) not in within:
            part.set_attn_implementation(name)
        within.update(map(id, part.modules()))
    for config, original in asked:
        if config._attn_implementation == name:
            config._attn_implementation_internal = Asked(name, original)
    for part in parts:
        change = past.difference_update if isinstance(part.config._attn_implementation, Asked) else past.update
        change(map(id, part.modules()))
    past.update(id(module) for module in plain.multiheads(model).values())
    if past:
        plain.lead(model, attention, lambda module: id(module) in past)


def release(model):
    """Gives the model its own attention back."""
    plain.release(model)
    for config in configs(model):
        config._attn_implementation_internal = asked_of(config)


def is_led(model):
    """Whether its attention goes through this module."""
    return any(map(plain.is_led, model.modules())) or any(isinstance(config._attn_implementation, Asked) for config in configs(model))


def place(model, table):
    """Puts other attention at modules, by name, and the model's own everywhere else: with none, the model is as it was. Raises Unsupported."""
    modules = dict(model.named_modules())
    missing = [path for path in table if path not in modules]
    if missing:
        raise Unsupported(f'{type(model).__name__} has no module {missing[0]}')
    placed = {path: Placed(given, path) for path, given in table.items()}
    for path, module in modules.items():
        module.__dict__['attnswap_placed'] = placed.get(path)
    if table:
        lead(model)
    else:
        release(model)


def attention(module, query, key, value, attention_mask, dropout=0.0, scaling=None, is_causal=None, **kwargs):
    """
    What transformers calls: query [batch, heads, queries, headDim], key and value [batch, kvHeads, keys, headDim] → output
    [batch, queries, heads, headDim], and no weights.
    """
    if observer is not None:
        return observer.call(module, query, key, value, attention_mask, dropout, scaling, is_causal, kwargs)
    return attend(module, query, key, value, attention_mask, dropout, scaling, is_causal, kwargs)


def attend(module, query, key, value, attention_mask, dropout, scaling, is_causal, kwargs):
    """As `attention`, unseen by any observer."""
    placed = module.__dict__.get('attnswap_placed')
    if placed is None:
        told = getattr(attention_mask, 'attnswap', None)
        whole = attention_mask if told is None else told.whole()
        causal = {} if is_causal is None else {'is_causal': is_causal}
        return own_attention(module)(module, query, key, value, whole, dropout=dropout, scaling=scaling, **causal, **kwargs)
    refuse_more(dropout, kwargs)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    key, value, mask = settled(module, query, key, value, attention_mask, is_causal, kwargs.get('position_bias'))
    return placed.attend(query, key, value, scale, *mask).transpose(1, 2).contiguous(), None


def own_attention(module):
    """The attention that the module's model asked for."""
    if plain.is_led(module):
        return plain.own_attention
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    original = module.__dict__['attnswap_original']
    return eager_attention(type(module)) if original == 'eager' else ALL_ATTENTION_FUNCTIONS[original]


@functools.cache
def eager_attention(cls):
    """The function that a module's class hands to the interface for `eager`: few call it by another name, or take it from another file."""
    for _, method in inspect.getmembers(cls, inspect.isfunction):
        method = inspect.unwrap(method)
        for name in method.__code__.co_names:
            if name.endswith('eager_attention_forward') and name in method.__globals__:
                return method.__globals__[name]
    return sys.modules[cls.__module__].eager_attention_forward


def refuse_more(dropout, kwargs):
    """Raises Unsupported for what other attention would leave out."""
    word = beyond(kwargs)
    if word is not None:
        raise Unsupported(f'the model passes {word} to its attention, which no kernel for models supports')
    if dropout > 0:
        raise Unsupported('attention dropout is on, which kernels do not support: call model.eval(), or set it to 0')


def beyond(kwargs):
    """What a model gives its attention and no kernel for models takes; None where there is nothing."""
    return next((word for word in ('softcap', 's_aux', 'sinks') if kwargs.get(word) is not None), None)


def settled(module, query, key, value, attention_mask, is_causal, position_bias=None):
    """Key and value as they are attended to, and the Mask; a bias beside the mask is added to the logits."""
    queries, keys = query.shape[2], key.shape[2]
    bias = None if position_bias is None else masks.with_four_axes(position_bias).to(query.dtype)
    decodes = decodes_causally(module)
    told = getattr(attention_mask, 'attnswap', None)
    if told is not None:
        return key, value, masks.Mask(told.padding, told.causal, told.window, bias)
    if attention_mask is not None:
        try:
            padding, causal = masks.read(attention_mask, queries, keys)
        except masks.MoreThanPadding:
            return key, value, masks.Mask(causal=None, bias=masks.added(attention_mask, bias, query.dtype))
        if queries > 1 or not decodes:
            return key, value, masks.Mask(padding, causal if queries > 1 else decodes, bias=bias)
        # A cache of fixed size has room behind its newest token, where the query stands.
        end = keys if padding is None else masks.end_of(padding)
        return key[:, :, :end], value[:, :, :end], masks.Mask(masks.upto(end, padding), True, bias=masks.upto(end, bias))
    # Without a mask, sdpa goes by a flag, which it drops of a single query, and eager sees everything; the operator itself always goes by its flag.
    causal = getattr(module, 'is_causal', True) if is_causal is None else is_causal
    if not plain.is_led(module):
        causal = causal and queries > 1 and module.__dict__['attnswap_original'] != 'eager'
    if not causal:
        return key, value, masks.Mask(causal=decodes if queries == 1 else False, bias=bias)
    # The flag counts from the first key; keys beyond the last query are hidden from all.
    if keys < queries:
        first = torch.ones(queries, keys, dtype=torch.bool, device=query.device).tril()
        return key, value, masks.Mask(causal=None, bias=masks.added(first, bias, query.dtype))
    cut = None if bias is None else bias[..., :queries]
    return key[:, :, :queries], value[:, :, :queries], masks.Mask(causal=True, bias=cut)


def decodes_causally(module):
    """
    Whether a single query of a module is the last of its tokens, which no mask tells, and by which a variant chooses among the keys: as its calls
    with several queries are, or as the module says. None where neither is known.
    """
    placed = module.__dict__.get('attnswap_placed')
    if placed is not None and placed.causal is not None:
        return placed.causal
    told = getattr(module, 'is_causal', None)
    return told if isinstance(told, bool) else None


def mask(**given):
    """What transformers calls for a mask: a compact one, None where the model's own attention gets none, or a whole one."""
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

    original = asked_of(given['config'])
    if original == name:
        raise Unsupported('a mask was requested by a config whose attention attnswap did not take over')

    def make_whole():
        return ALL_MASK_ATTENTION_FUNCTIONS[original](**given)

    found = masks.plain(given)
    if found is None:
        return make_whole()
    padding, causal, window = found
    if padding is None and goes_without(given, causal, original):
        return None
    return masks.compact(masks.Told(padding, causal, window, make_whole), given.get('device', 'cpu'))


def goes_without(given, causal, original):
    """Whether the model's own attention gets no mask where nothing is padded."""
    if given.get('local_size') is not None and given['kv_length'] >= given['local_size']:
        return False
    if not causal:
        return given.get('allow_is_bidirectional_skip', False)
    alike = given['q_length'] in (1, given['kv_length'])
    return original == 'sdpa' and given.get('allow_is_causal_skip', True) and alike
