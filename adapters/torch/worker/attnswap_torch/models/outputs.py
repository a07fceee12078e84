"""What a model returns, as tensors by name."""
from ..torch_import import torch
from ..unsupported import Unsupported


def named_outputs(returned):
    """
    The tensors that a model returned, by name; where there are none, those within, such as `feature_maps.0`. Other things, such as caches, are left
    out. Raises Unsupported.
    """
    if isinstance(returned, torch.Tensor):
        return {'output': returned}
    if isinstance(returned, (tuple, list)):
        returned = {f'output{place}': value for place, value in enumerate(returned)}
    if not isinstance(returned, dict):
        raise Unsupported(f'the model returns a {type(returned).__name__}, expected a tensor, or a tuple, a list or a dict of tensors')
    return {name: value for name, value in returned.items() if isinstance(value, torch.Tensor)} or dict(tensors_within(returned))


def tensors_within(value, name=''):
    """Every tensor in lists and dicts, however deep, with the names that lead to it."""
    if isinstance(value, torch.Tensor):
        yield name, value
    elif isinstance(value, (dict, list, tuple)):
        for place, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from tensors_within(each, f'{name}.{place}' if name else f'{place}')
