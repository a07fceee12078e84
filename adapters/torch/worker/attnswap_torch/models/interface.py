"""Attention of our own in a model: in transformers, a function in AttentionInterface and its twin in AttentionMaskInterface."""
import inspect
import sys

from ..unsupported import Unsupported
from . import masks, plain
from .placed import Placed

# Of the package, so that two models with attention of two versions have two names.
name = __name__.partition('.')[0]
served = ('sdpa', 'eager')

# The attention that a config asked for before: {id: (config, implementation)}.
originals = {}
# Sees every call; see observe.py.
observer = None


def install(model):
    """Finds out which attention a model asks for: its name. The model still computes that. Raises Unsupported."""
    original = prepare(model) if is_pretrained(model) else 'sdpa'
    for module in model.modules():
        module.__dict__['attnswap_original'] = original
    lead(model)
    release(model)
    return original


def is_pretrained(model):
    """Whether a model is one of transformers."""
    if 'transformers' not in sys.modules:
        return False
    from transformers import PreTrainedModel

    return isinstance(model, PreTrainedModel)


def prepare(model):
    """Registers this module's attention with transformers. The name of the attention that the model asks for. Raises Unsupported."""
    from transformers.masking_utils import AttentionMaskInterface
    from transformers.modeling_utils import AttentionInterface

    AttentionInterface.register(name, attention)
    AttentionMaskInterface.register(name, mask)
    configs = [each.config for each in model.modules() if is_pretrained(each)]
    asked = sorted({str(config._attn_implementation) for config in configs})
    if len(asked) != 1 or asked[0] not in served:
        raise Unsupported(f'{type(model).__name__} asks for the attention {" and ".join(asked)}, expected {" or ".join(served)} in all its parts')
    originals.update({id(config): (config, asked[0]) for config in configs})
    return asked[0]


def lead(model):
    """Leads all attention of the model through this module. Raises Unsupported."""
    if not is_pretrained(model):
        return plain.lead(model, attention)
    model.set_attn_implementation(name)
    # A model that goes past the interface stays as it is, with a line in its log.
    for each in model.modules():
        if is_pretrained(each) and each.config._attn_implementation != name:
            raise Unsupported(f'{type(each).__name__} computes attention itself, not through the AttentionInterface of transformers: {where(each)}')


def release(model):
    """Gives the model its own attention back."""
    if not is_pretrained(model):
        return plain.release(model)
    model.set_attn_implementation(model.__dict__['attnswap_original'])


def is_led(model):
    """Whether its attention goes through this module."""
    return model.config._attn_implementation == name if is_pretrained(model) else plain.is_led(model)


def where(model):
    """The file of a model, and the line of its first class that is called attention."""
    try:
        file = inspect.getsourcefile(type(model))
        with open(file, encoding='utf-8') as source:
            line = next((place for place, text in enumerate(source, 1) if text.startswith('class ') and 'Attention' in text), 1)
        return f'{file}:{line}'
    except (OSError, TypeError):
        return type(model).__module__


def place(model, table):
    """Puts other attention at modules, by name, and the model's own everywhere else: with none, the model is as it was. Raises Unsupported."""
    modules = dict(model.named_modules())
    missing = [path for path in table if path not in modules]
    if missing:
        raise Unsupported(f'{type(model).__name__} has no module {missing[0]}')
    placed = {path: Placed(given) for path, given in table.items()}
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
    try:
        key, value, padding, causal = settled(module, query, key, value, attention_mask, is_causal)
    except masks.MoreThanPadding as reason:
        raise Unsupported(f'{type(module).__name__}: its mask is more than padding and causality: {reason}') from None
    return placed.attend(query, key, value, scale, padding, causal).transpose(1, 2).contiguous(), None


def own_attention(module):
    """The attention that the module's model asked for."""
    if 'attnswap_led' in module.__dict__:
        return plain.own_attention
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    original = module.__dict__['attnswap_original']
    return sys.modules[type(module).__module__].eager_attention_forward if original == 'eager' else ALL_ATTENTION_FUNCTIONS[original]


def refuse_more(dropout, kwargs):
    """Raises Unsupported for what other attention would leave out."""
    word = beyond(kwargs)
    if word is not None:
        raise Unsupported(f'the model passes {word} to its attention, which no kernel for models supports')
    if dropout > 0:
        raise Unsupported('attention dropout is on, which kernels do not support: call model.eval(), or set it to 0')


def beyond(kwargs):
    """What a model gives its attention and no kernel for models takes; None where there is nothing."""
    return next((word for word in ('position_bias', 'softcap', 's_aux', 'sinks') if kwargs.get(word) is not None), None)


def settled(module, query, key, value, attention_mask, is_causal):
    """Key and value as they are attended to, padding [batch, keys] or None, and whether attention is causal. Raises MoreThanPadding."""
    queries, keys = query.shape[2], key.shape[2]
    told = getattr(attention_mask, 'attnswap', None)
    if told is not None:
        return key, value, told.padding, told.causal
    if attention_mask is not None:
        return key, value, *masks.read(attention_mask, queries, keys)
    # Without a mask, sdpa goes by a flag, and eager sees everything.
    causal = getattr(module, 'is_causal', True) if is_causal is None else is_causal
    if queries == 1:
        # It sees all keys; whether causally tells a variant how it chooses among them.
        return key, value, None, getattr(module, 'is_causal', False) is True
    if not causal or module.__dict__['attnswap_original'] == 'eager':
        return key, value, None, False
    # sdpa's flag counts from the first key; keys beyond the last query are hidden from all.
    if keys < queries:
        raise masks.MoreThanPadding(f'{queries} queries are causal over {keys} keys, counted from the first')
    return key[:, :, :queries], value[:, :, :queries], None, True


def mask(**given):
    """What transformers calls for a mask: a compact one, None where the model's own attention gets none, or a whole one."""
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

    _, original = originals.get(id(given.get('config')), (None, None))
    if original is None:
        raise Unsupported('a mask was requested by a config that no model had when attnswap took over its attention')

    def make_whole():
        return ALL_MASK_ATTENTION_FUNCTIONS[original](**given)

    found = masks.plain(given)
    if found is None:
        return make_whole()
    padding, causal = found
    if padding is None and goes_without(given, causal, original):
        return None
    return masks.compact(masks.Told(padding, causal, make_whole), given.get('device', 'cpu'))


def goes_without(given, causal, original):
    """Whether the model's own attention gets no mask where nothing is padded."""
    if not causal:
        return given.get('allow_is_bidirectional_skip', False)
    alike = given['q_length'] in (1, given['kv_length'])
    return original == 'sdpa' and given.get('allow_is_causal_skip', True) and alike
