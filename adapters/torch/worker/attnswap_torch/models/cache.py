"""A decoder's cache as plain tensors: an input and an output for the keys, and for the values, of every layer."""
from ..torch_import import torch
from .declared import Input

inputs_prefix, outputs_prefix = 'past_key_values', 'present'
# Of token ids and their mask, without a cache.
whole = ['batch', 'sequence']


class Cache:
    """The cache that a model makes. word: what the model calls it; layers: keys and values of one token in each layer, [1, kvHeads, 1, headDim]."""

    def __init__(self, word, layers):
        self.word = word
        self.parts = [(f'{at}.{part}', kept) for at, layer in enumerate(layers) for part, kept in zip(('key', 'value'), layer)]

    def declare(self, inputs):
        """Adds the cache to a model's inputs: f32, whatever the model computes in; a mask then tells of cached tokens, too."""
        for each in inputs:
            if each.name == 'attention_mask':
                each.dims = ['batch', 'past + sequence']
        for place, kept in self.parts:
            each = Input(f'{inputs_prefix}.{place}', 'float32', ['batch', kept.shape[1], 'past', kept.shape[3]])
            each.optional, each.stored = True, kept.element_size()
            inputs.append(each)

    def split(self, feeds):
        """The other feeds, and the keys and values of each layer in the model's dtype; none where nothing is cached. Raises ValueError for a part of a cache."""
        others = {name: values for name, values in feeds.items() if not name.startswith(f'{inputs_prefix}.')}
        past = [feeds[name].to(kept.dtype) for place, kept in self.parts if (name := f'{inputs_prefix}.{place}') in feeds]
        if len(past) not in (0, len(self.parts)):
            raise ValueError(f'expected the cache of every layer, or none: {len(self.parts)} tensors, got {len(past)}')
        return others, list(zip(past[::2], past[1::2])) if past and past[0].shape[2] > 0 else []

    def argument(self, past):
        """What hands `past` to one call. It is not copied, and stays as it is: a call puts its tokens behind it in tensors of its own."""
        from transformers.cache_utils import DynamicCache, DynamicLayer

        cache = DynamicCache()
        for keys, values in past:
            layer = DynamicLayer()
            layer.lazy_initialization(keys, values)
            layer.keys, layer.values = keys, values
            cache.layers.append(layer)
        return {self.word: cache, 'use_cache': True}

    def outputs(self, returned):
        """What a call handed on, by name."""
        layers = [part for layer in returned[self.word].layers for part in (layer.keys, layer.values)]
        return {f'{outputs_prefix}.{place}': kept for (place, _), kept in zip(self.parts, layers)}


def find(model, inputs, taken):
    """(The Cache of a decoder, None), or (None, why its tokens cannot be fed one by one; None where nothing would be cached)."""
    from .configs import is_pretrained

    # transformers 5.24 renamed it.
    word = next((each for each in ('cache', 'past_key_values') if each in taken), None)
    if word is None or 'use_cache' not in taken or not is_pretrained(model):
        return None, None
    if getattr(model.config, 'is_encoder_decoder', False):
        return None, 'decoding is measured of decoder-only models, and this is an encoder-decoder model'
    names = {each.name for each in inputs}
    if 'input_ids' not in names:
        return None, None
    try:
        with torch.inference_mode():
            made = model(input_ids=torch.zeros(1, 1, dtype=torch.long, device=model.device), use_cache=True, return_dict=True).get(word)
    except Exception as error:  # Whatever a model does without its other inputs.
        return None, f'a call with a single token and a cache fails: {type(error).__name__}: {" ".join(str(error).split())[:500]}'
    if made is None:
        return None, None
    if not names <= {'input_ids', 'attention_mask'}:
        return None, f'behind a cache, the model can be given input_ids and attention_mask alone, not {", ".join(sorted(names))}'
    other = next((each for each in inputs if each.dims != whole), None)
    if other is not None:
        return None, f'behind a cache, {other.name} must be declared with the dimensions {whole}, not {other.dims}'
    layers = getattr(made, 'layers', [])
    other = next((layer for layer in layers if type(layer).__name__ != 'DynamicLayer' or layer.get_seq_length() != 1), None)
    if other is not None or not layers:
        return None, f'its cache is a {type(other or made).__name__}; only one that keeps every token of every layer (DynamicLayer) is supported'
    return Cache(word, [(layer.keys, layer.values) for layer in layers]), None
