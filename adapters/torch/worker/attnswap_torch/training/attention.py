"""The attention of one layer: the kernels that are measured, under autograd."""
import math

from ..kernels import build, control
from ..torch_import import torch
from .positions import slopes, turned

# Short sequences: writing the logits out is quicker than tiles that are computed again in the backward pass.
kernel_of = {
    'dense': 'naive',
    'topk': 'tiled',
    'window': 'tiled',
    'gated': 'tiled',
    'hierarchical': 'batched',
    'block-topk': 'blocks',
    'linear': 'chunked',
}


class LayerInputs:
    """What a kernel asks of its inputs (inputs.Inputs), for one layer of a batch without padding."""

    padding = None
    offset = 0
    group = 1
    rows_may_be_empty = False

    def __init__(self, testbed, parameters, batch, length, device):
        width = testbed['width'] // testbed['heads']
        self.batch, self.heads, self.kv_heads = batch, testbed['heads'], testbed['heads']
        self.queries = self.keys = length
        self.head_dim = width + (testbed['position'] == 'alibi')
        self.causal, self.parameters, self.device, self.dtype = testbed['causal'], parameters, device, torch.float32
        self.scale = 1 / math.sqrt(width)
        self.gate_u = self.gate_w = self.gate_b = None


class Attention:
    """attend(x [batch, length, width]) of one layer, with the variant that `use` chose last."""

    def __init__(self, testbed, layer, weights):
        self.testbed, self.layer, self.weights = testbed, layer, weights
        self.built = {}
        self.given = None

    def use(self, given):
        """given: variant, parameters, and shuffled where the selection is to be random (the control)."""
        if given != self.given:
            self.built = {}
        self.given = given

    def __call__(self, x, tap=None):
        """x [batch, length, width] → the same. tap(o [batch, heads, length, d]) may look at, or replace, the heads' outputs."""
        batch, length, width = x.shape
        heads = self.testbed['heads']
        dim = width // heads
        name = f'layers.{self.layer}.attention.'
        query, key, value = (self.split(x @ self.weights[name + part], heads) for part in ('query', 'key', 'value'))
        if self.testbed['position'] == 'rotary':
            query, key = turned(query), turned(key)
        if self.testbed['position'] == 'alibi':
            query, key, value = self.leaning(query, key, value)
        inputs, kernel = self.kernel(batch, length, x.device)
        for part in 'uwb' if self.given['variant'] == 'gated' else '':
            setattr(inputs, f'gate_{part}', self.weights[f'{name}gate.{part}'])
        with control.shuffled(self.given.get('shuffled', False), x.device):
            output = kernel.run(query, key, value)[..., :dim]
        if tap is not None:
            output = tap(output)
        return output.transpose(1, 2).reshape(batch, length, width) @ self.weights[name + 'output']

    def kernel(self, batch, length, device):
        """The kernel for this shape, built once."""
        if (batch, length) not in self.built:
            inputs = LayerInputs(self.testbed, self.given['parameters'], batch, length, device)
            if self.given['variant'] == 'gated':
                for part in 'uwb':
                    setattr(inputs, f'gate_{part}', self.weights[f'layers.{self.layer}.attention.gate.{part}'])
            self.built[batch, length] = (inputs, build(f'{self.given["variant"]}.{kernel_of[self.given["variant"]]}', inputs, True))
        return self.built[batch, length]

    def leaning(self, query, key, value):
        """ALiBi as one more dimension: c·q'·k' = c·q·k + slope·j; what is the same for all keys of a row is left out."""
        batch, heads, length, dim = query.shape
        lean = (slopes(heads, query.device) * math.sqrt(dim)).view(1, heads, 1, 1).expand(batch, heads, length, 1)
        place = torch.arange(length, device=query.device, dtype=query.dtype).view(1, 1, length, 1).expand(batch, heads, length, 1)
        return torch.cat((query, lean), -1), torch.cat((key, place), -1), torch.cat((value, torch.zeros_like(place)), -1)

    @staticmethod
    def split(x, heads):
        """[batch, length, width] → [batch, heads, length, width/heads]."""
        batch, length, width = x.shape
        return x.view(batch, length, heads, width // heads).transpose(1, 2).contiguous()
