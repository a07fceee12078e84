"""What of a model must not change when its attention does."""
import hashlib

from .. import safetensors_file
from .adapters import own_weights


def fingerprint(model):
    """
    Modules, tensors, and a SHA-256 over the tree of modules and over each parameter's and buffer's name, dtype, shape and bytes; of weights that
    something was added to, as they were.
    """
    hasher = hashlib.sha256()
    own = own_weights(model)
    modules = tensors = 0
    for path, module in model.named_modules():
        modules += 1
        hasher.update(f'{path} {type(module).__module__}.{type(module).__qualname__}\n'.encode())
    for path, tensor in [*model.named_parameters(), *model.named_buffers()]:
        tensors += 1
        hasher.update(f'{path} {tensor.dtype} {[*tensor.shape]}\n'.encode())
        hasher.update(safetensors_file.bytes_of(own.get(path, tensor).detach().cpu()))
    return {'modules': modules, 'tensors': tensors, 'sha256': hasher.hexdigest()}
