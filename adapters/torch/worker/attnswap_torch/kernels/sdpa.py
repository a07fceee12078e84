"""torch.nn.functional.scaled_dot_product_attention, with the backend that PyTorch chooses or with a single one allowed."""
import functools
import math as arithmetic

from ..torch_import import torch
from ..unsupported import Unsupported
from .kernel import Kernel
from .visible import hidden_keys, hidden_too

switches = {'flash': 'flash_sdp', 'efficient': 'mem_efficient_sdp', 'cudnn': 'cudnn_sdp', 'math': 'math_sdp'}


def switched(name):
    """Whether PyTorch allows a backend; None where it has no such switch."""
    ask = getattr(torch.backends.cuda, f'{switches[name]}_enabled', None)
    return None if ask is None or not hasattr(torch.backends.cuda, f'enable_{switches[name]}') else ask()


at_start = {name: switched(name) for name in switches}


def fused(inputs, _):
    """The backend that PyTorch chooses."""
    return kernel(inputs, None)


def flash(inputs, _):
    """The flash backend alone."""
    return kernel(inputs, 'flash')


def efficient(inputs, _):
    """The memory-efficient backend alone, which is CUDA's."""
    return kernel(inputs, on_cuda(inputs, 'efficient'))


def cudnn(inputs, _):
    """The cuDNN backend alone."""
    return kernel(inputs, on_cuda(inputs, 'cudnn'))


def math(inputs, _):
    """The math backend alone."""
    return kernel(inputs, 'math')


def on_cuda(inputs, backend):
    """`backend`, where the device is CUDA's. Raises Unsupported."""
    if inputs.device.type != 'cuda':
        raise Unsupported(f'the {backend} backend of scaled_dot_product_attention is for CUDA devices')
    return backend


def kernel(inputs, backend):
    """One call with `backend` alone, or with the one that PyTorch chooses where None. Raises Unsupported."""
    attention = getattr(torch.nn.functional, 'scaled_dot_product_attention', None)
    if attention is None:
        raise Unsupported('this PyTorch has no scaled_dot_product_attention')
    allow(backend)
    form = Form(inputs, attention)
    return Kernel(form.run, form.flags, tried=True)


def allow(backend):
    """Switches on one backend and off the others; as PyTorch came where None. For this process: it holds one kernel at a time."""
    if backend is not None and at_start[backend] is None:
        raise Unsupported(f'this PyTorch has no {backend} backend of scaled_dot_product_attention')
    for name, usual in at_start.items():
        if usual is not None:
            getattr(torch.backends.cuda, f'enable_{switches[name]}')(usual if backend is None else name == backend)


class Form:
    """How a shape is put to scaled_dot_product_attention: its own causal flag where that means the same, else a mask."""

    def __init__(self, inputs, attention):
        self.inputs, self.attention = inputs, attention
        self.flags = []
        more = inputs.window is not None or inputs.bias is not None
        plain = inputs.padding is None and not more
        # Its causal flag counts from the first query and key; attnswap's last query sees the last key.
        self.causal_flag = inputs.causal and plain and inputs.offset == 0 and inputs.queries > 1
        self.row_dependent = more or (inputs.causal and not (inputs.queries == 1 and inputs.offset >= 0))
        self.masked = not plain or (self.row_dependent and not self.causal_flag and inputs.queries > 1)
        self.options = {'is_causal': True} if self.causal_flag else {}
        self.factor = self.settle_scale()
        self.settle_groups()
        if self.masked and self.row_dependent:
            self.flags.append('a mask of queries × keys was built: the causal flag of scaled_dot_product_attention does not say the same')

    def settle_scale(self):
        """What q is multiplied by before, None where the operator scales by itself."""
        usual = 1 / arithmetic.sqrt(self.inputs.head_dim)
        if abs(self.inputs.scale - usual) <= 1e-9 * usual:
            return None
        if takes(self.attention, scale=1.0):
            self.options['scale'] = self.inputs.scale
            return None
        return self.inputs.scale / usual

    def settle_groups(self):
        """Grouped queries: as rows of one matrix where all rows see the same keys, by the operator's own option, or with copied keys."""
        self.groups = 'none' if self.inputs.group == 1 else 'rows' if not self.row_dependent else 'copies'
        if self.groups == 'copies' and takes(self.attention, enable_gqa=True):
            self.groups = 'option'
            self.options['enable_gqa'] = True
        if self.groups == 'copies':
            self.flags.append('keys and values were copied for every query head of a group')

    def run(self, query, key, value):
        """o [batch, heads, queries, headDim]."""
        inputs = self.inputs
        if self.factor is not None:
            query = query * self.factor
        if self.groups == 'rows':
            query = query.reshape(inputs.batch, inputs.kv_heads, -1, inputs.head_dim)
        elif self.groups == 'copies':
            key, value = (given.repeat_interleave(inputs.group, 1) for given in (key, value))
        if not self.masked:
            return self.attention(query, key, value, **self.options).reshape(inputs.output_shape)
        hidden = hidden_keys(inputs, 0, inputs.queries, inputs.keys)
        if inputs.bias is not None:
            hidden = hidden_too(inputs.bias, hidden)
            least = query.new_tensor(torch.finfo(query.dtype).min)
            bias = torch.where(hidden, least, inputs.bias).expand(-1, -1, inputs.queries, inputs.keys)
            output = self.attention(query, key, value, attn_mask=bias, **self.options)
            return output.masked_fill(hidden.all(-1, keepdim=True), 0)
        empty = hidden.all(-1, keepdim=True)
        # A row that sees nothing is computed as if it saw everything, then zeroed: neither NaN nor its gradient gets out.
        output = self.attention(query, key, value, attn_mask=~hidden | empty, **self.options)
        return output.reshape(inputs.output_shape).masked_fill(empty, 0)


@functools.cache
def takes(attention, **option):
    """Whether the operator knows an option: a tiny call tells."""
    x = torch.ones(1, 1, 1, 8)
    try:
        attention(x, x, x, **option)
    except TypeError:
        return False
    except RuntimeError:  # The option is known, but the one backend allowed does not serve the tiny call.
        pass
    return True
