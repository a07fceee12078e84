"""What one attention call reads, on its device and in its dtype."""
import hashlib

from . import safetensors_file
from .geometry import Geometry
from .torch_import import torch

dtypes = {'f32': 'float32', 'f16': 'float16', 'bf16': 'bfloat16'}


class Inputs(Geometry):
    """
    q [batch, heads, queries, headDim], k and v [batch, kvHeads, keys, headDim] in the shape's dtype; padding
    [batch, keys] bool, True removes a key, or None; bias, which broadcasts to [batch, heads, queries, keys], or None;
    gate_u, gate_w [heads, headDim, rank] and gate_b [heads], or None; output_gradient in q's shape, or None.
    """

    def __init__(self, question, device):
        shape = question['shape']
        self.batch, self.heads, self.kv_heads = shape['batch'], shape['heads'], shape['kvHeads']
        self.queries, self.keys, self.head_dim = shape['queries'], shape['keys'], shape['headDim']
        self.causal = shape['causal']
        self.parameters = question['parameters']
        self.scale = question['scale']
        self.device = device
        self.dtype = getattr(torch, dtypes[shape['dtype']])
        given = safetensors_file.read(question['inputs'])
        self.q, self.k, self.v = (self.floats(given, name) for name in 'qkv')
        self.gate_u, self.gate_w, self.gate_b = (self.floats(given, name) for name in ('gate.u', 'gate.w', 'gate.b'))
        self.bias = self.floats(given, 'bias')
        self.output_gradient = self.floats(given, 'do')
        self.padding = given['mask'].to(device) == 0 if 'mask' in given else None

    def floats(self, given, name):
        """The tensor `name` on the device, in the dtype; None where the file has none."""
        return given[name].to(device=self.device, dtype=self.dtype) if name in given else None

    def digest(self):
        """SHA-256 over q, k and v as they are held, in f32."""
        hasher = hashlib.sha256()
        for values in (self.q, self.k, self.v):
            hasher.update(safetensors_file.raw_bytes(values))
        return hasher.hexdigest()
