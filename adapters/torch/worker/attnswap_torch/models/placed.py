"""Other attention in the place of a model's own."""
from ..geometry import Geometry
from ..kernels import build
from ..torch_import import torch
from ..unsupported import Unsupported

# Those that change no setting of the whole process, compile nothing, and need no weights of their own.
usable = (
    'dense.fused',
    'dense.naive',
    'dense.tiled',
    'topk.tiled',
    'window.tiled',
    'grid-window.tiled',
    'hierarchical.batched',
    'block-topk.blocks',
    'linear.chunked',
)


class CallInputs(Geometry):
    """What a kernel asks of its inputs, for one call in a model."""

    gate_u = gate_w = gate_b = None

    def __init__(self, query, key, settings):
        self.batch, self.heads, self.queries, self.head_dim = query.shape
        self.kv_heads, self.keys = key.shape[1:3]
        self.parameters, self.scale, self.padding, self.causal = settings
        self.device, self.dtype = query.device, query.dtype


class Placed:
    """A variant's kernel at one module. given: variant, kernel, parameters, and scaleFactor, which multiplies the logits' scale."""

    def __init__(self, given):
        self.name = f'{given["variant"]}.{given["kernel"]}'
        if self.name not in usable:
            raise Unsupported(f'{self.name} cannot be put into a model, only {", ".join(usable)}')
        self.parameters, self.factor = given['parameters'], given.get('scaleFactor') or 1.0
        self.shape = self.kernel = None

    def attend(self, query, key, value, scale, padding, causal):
        """o [batch, heads, queries, headDim] of query in that shape, key and value [batch, kvHeads, keys, headDim]."""
        if value.shape[-1] != query.shape[-1]:
            raise Unsupported(f'values are {value.shape[-1]} wide and queries {query.shape[-1]}')
        shape = None
        # A token that is decoded meets one key more than the last: what is built for it serves no other.
        if padding is None and not (causal and query.shape[2] == 1):
            shape = (query.shape, key.shape, query.dtype, query.device, scale, causal, torch.is_grad_enabled())
        if shape is None or shape != self.shape:
            inputs = CallInputs(query, key, (self.parameters, scale * self.factor, padding, causal))
            self.shape, self.kernel = shape, build(self.name, inputs, torch.is_grad_enabled())
        return self.kernel.run(query, key, value)
