"""One attention of the testbed: the kernels that are measured, under autograd."""
import math

from ..geometry import Geometry
from ..kernels import build, control
from ..torch_import import torch
from .positions import slopes, turn_of, turned

kernel_of = {
    'topk': 'tiled',
    'window': 'tiled',
    'grid-window': 'tiled',
    'gated': 'tiled',
    'hierarchical': 'batched',
    'block-topk': 'blocks',
    'linear': 'chunked',
}


def dense_kernel(device):
    """
    The operator where PyTorch has one for the processor. Else writing the logits out is quicker than tiles that the backward pass computes again;
    where there is none, tiles are.
    """
    if device.type == 'cpu' and hasattr(torch.nn.functional, 'scaled_dot_product_attention'):
        return 'fused'
    return 'naive' if torch.is_grad_enabled() else 'tiled'


def sites(testbed):
    """Every attention in the order in which the model runs them, as src/training/testbed.ts names them: (name, kind)."""
    encoder = testbed.get('encoder')
    reading = [(f'encoder.layers.{layer}.attention', 'encoder') for layer in range(len(encoder['attention']) if encoder else 0)]
    kinds = (('attention', 'self'), ('cross', 'cross')) if encoder else (('attention', 'self'),)
    return reading + [(f'layers.{layer}.{part}', kind) for layer in range(len(testbed['attention'])) for part, kind in kinds]


class SiteInputs(Geometry):
    """What a kernel asks of its inputs (inputs.Inputs), for one attention to a batch without padding."""

    padding = None

    def __init__(self, testbed, kind, parameters, sizes, device):
        width = testbed['width'] // testbed['heads']
        self.batch, self.queries, self.keys = sizes
        self.heads = self.kv_heads = testbed['heads']
        self.head_dim = width + (testbed['position'] == 'alibi')
        self.causal = kind == 'self' and testbed['causal']
        self.parameters, self.device, self.dtype = parameters, device, torch.float32
        self.scale = 1 / math.sqrt(width)
        self.gate_u = self.gate_w = self.gate_b = None
        self.turn = None if kind == 'cross' else turn_of(testbed, self.queries, width, device)


class Attention:
    """attend(x [batch, length, width]) at one site, with the variant that `use` chose last."""

    def __init__(self, testbed, name, kind, weights):
        self.testbed, self.name, self.kind, self.weights = testbed, name, kind, weights
        self.built = {}
        self.given = None

    def use(self, given):
        """given: variant, parameters, and shuffled where the selection is to be random (the control)."""
        if given != self.given:
            self.built = {}
        self.given = given

    def __call__(self, x, memory=None, tap=None):
        """
        x [batch, length, width] → the same; memory [batch, source length, width] is what cross-attention reads. tap(o [batch, heads, length, d])
        may look at, or replace, the heads' outputs.
        """
        batch, length, width = x.shape
        heads = self.testbed['heads']
        dim = width // heads
        name = f'{self.name}.'
        read = memory if self.kind == 'cross' else x
        inputs, kernel = self.kernel((batch, length, read.shape[1]), x.device)
        query, key, value = ((given @ self.weights[name + part]).view(batch, -1, heads, dim) for part, given in (('query', x), ('key', read), ('value', read)))
        if inputs.turn is not None:
            query, key = turned(query, inputs.turn), turned(key, inputs.turn)
        query, key, value = (given.transpose(1, 2) for given in (query, key, value))
        if self.given['variant'] != 'dense':
            # Unlike dense attention, which reads them as they are, other kernels view parts of them.
            query, key, value = query.contiguous(), key.contiguous(), value.contiguous()
        if self.testbed['position'] == 'alibi':
            query, key, value = self.leaning(query, key, value)
        for part in 'uwb' if self.given['variant'] == 'gated' else '':
            setattr(inputs, f'gate_{part}', self.weights[f'{name}gate.{part}'])
        with control.shuffled(self.given.get('shuffled', False), x.device):
            output = kernel.run(query, key, value)[..., :dim]
        if tap is not None:
            output = tap(output)
        return output.transpose(1, 2).reshape(batch, length, width) @ self.weights[name + 'output']

    def kernel(self, sizes, device):
        """The kernel for batch, queries and keys, built once."""
        variant = self.given['variant']
        how = dense_kernel(device) if variant == 'dense' else kernel_of[variant]
        if (sizes, how) not in self.built:
            inputs = SiteInputs(self.testbed, self.kind, self.given['parameters'], sizes, device)
            if variant == 'gated':
                for part in 'uwb':
                    setattr(inputs, f'gate_{part}', self.weights[f'{self.name}.gate.{part}'])
            self.built[sizes, how] = (inputs, build(f'{variant}.{how}', inputs, True))
        return self.built[sizes, how]

    def leaning(self, query, key, value):
        """ALiBi as one more dimension: c·q'·k' = c·q·k + slope·j; what is the same for all keys of a row is left out."""
        batch, heads, length, dim = query.shape
        lean = (slopes(heads, query.device) * math.sqrt(dim)).view(1, heads, 1, 1).expand(batch, heads, length, 1)
        place = torch.arange(length, device=query.device, dtype=query.dtype).view(1, 1, length, 1).expand(batch, heads, length, 1)
        return torch.cat((query, lean), -1), torch.cat((key, place), -1), torch.cat((value, torch.zeros_like(place)), -1)
