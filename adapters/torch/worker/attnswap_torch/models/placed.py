"""Other attention in the place of a model's own."""
from ..geometry import Geometry
from ..kernels import build
from ..kernels.linear import Settings
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


# Those that take a window of the model's own, and those that take whatever it adds to its logits.
windowed = ('dense.fused', 'dense.naive', 'dense.tiled', 'topk.tiled', 'window.tiled')
biased = ('dense.fused', 'dense.naive', 'dense.tiled')
# Those that give a single query the same whether it is the last of its tokens or sees keys on both sides.
indifferent = ('dense.fused', 'dense.naive', 'dense.tiled', 'topk.tiled')


class CallInputs(Geometry):
    """What a kernel asks of its inputs, for one call in a model."""

    gate_u = gate_w = gate_b = None

    def __init__(self, query, key, parameters, scale, mask):
        self.batch, self.heads, self.queries, self.head_dim = query.shape
        self.kv_heads, self.keys = key.shape[1:3]
        self.parameters, self.scale = parameters, scale
        self.padding, self.causal, self.window, self.bias = mask
        self.device, self.dtype = query.device, query.dtype


class Placed:
    """
    A variant's kernel at one module. given: variant, kernel, parameters; scaleFactor, which multiplies the logits' scale; and causal, whether the
    module's calls with several queries are, or None.
    """

    def __init__(self, given, path='attention'):
        self.path = path
        self.name = f'{given["variant"]}.{given["kernel"]}'
        if self.name not in usable:
            raise Unsupported(f'{self.name} cannot be put into a model, only {", ".join(usable)}')
        self.parameters, self.factor = given['parameters'], given.get('scaleFactor') or 1.0
        self.causal = given.get('causal')
        self.shape = self.kernel = None

    def __getstate__(self):
        # What was built for a call holds functions, which cannot be saved: a copy builds its own.
        return {**self.__dict__, 'shape': None, 'kernel': None}

    def attend(self, query, key, value, scale, padding, causal, window=None, bias=None):
        """
        o [batch, heads, queries, valueDim] of query [batch, heads, queries, keyDim], key [batch, kvHeads, keys, keyDim], value [batch, kvHeads, keys,
        valueDim], and the fields of a Mask. Raises Unsupported.
        """
        self.check(window, bias)
        if causal is None and bias is None and key.shape[2] > 1 and self.name not in indifferent:
            told = 'nothing tells whether its single query is the last of its tokens, or sees keys on both sides'
            raise Unsupported(f'{self.path}: {told}, by which {self.name} chooses among them: leave this site out, choose dense or topk, or, in a module of your own, set its is_causal to True or False')
        self.check_widths(query.shape[-1], value.shape[-1])
        wide = max(query.shape[-1], value.shape[-1])
        narrow = value.shape[-1]
        query, key, value = (with_zeros(part, wide) for part in (query, key, value))
        causal = bool(causal)
        shape = None
        # A token that is decoded meets one key more than the last: what is built for it serves no other.
        if padding is None and bias is None and not ((causal or window is not None) and query.shape[2] == 1):
            shape = (query.shape, key.shape, query.dtype, query.device, scale, causal, window, torch.is_grad_enabled())
        if shape is None or shape != self.shape:
            inputs = CallInputs(query, key, self.parameters, scale * self.factor, (padding, causal, window, bias))
            self.shape, self.kernel = shape, build(self.name, inputs, torch.is_grad_enabled())
        return self.kernel.run(query, key, value)[..., :narrow]

    def check(self, window, bias):
        """Raises Unsupported for a mask that the kernel does not take."""
        for given, what, kernels in ((window, 'a window of its own', windowed), (bias, 'a bias on its logits', biased)):
            if given is not None and self.name not in kernels:
                raise Unsupported(f'{self.path} has {what}, which {self.name} does not support: expected one of {", ".join(kernels)}')
        if window is not None and self.parameters.get('globals', 0) > 0:
            raise Unsupported(f'{self.path} has a window of its own, which hides global keys: expected globals=0')

    def check_widths(self, keys, values):
        """Raises Unsupported where queries and keys would get zeros that the kernel maps to something else."""
        if keys < values and self.name == 'linear.chunked' and Settings(self.parameters, 1).map == 'elu':
            zeros = f'its queries and keys (width {keys}) would get zeros up to the width of its values ({values}), and map=elu makes each of them 1'
            raise Unsupported(f'{self.path} cannot become {self.name}: {zeros}: expected map=relu')


def with_zeros(tensor, width):
    """A tensor with zeros behind its last axis: they change no product of queries and keys, and give values of 0 that are cut off again."""
    missing = width - tensor.shape[-1]
    return tensor if missing == 0 else torch.nn.functional.pad(tensor, (0, missing))
