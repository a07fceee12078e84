"""What a model's attention does, seen while it runs."""
from ..kernels.visible import outside
from ..torch_import import torch
from ..unsupported import Unsupported
from . import interface, masks
from .plain import caller

most_calls = 10_000
attending = ('softmax', 'scaled_dot_product_attention', '_native_multi_head_attention', 'multi_head_attention_forward')
dtypes = {torch.float32: 'f32', torch.float16: 'f16', torch.bfloat16: 'bf16'} if torch is not None else {}


class Call:
    """One call of attention: query [batch, heads, queries, headDim], key and value, output in the query's shape, and what masked it."""

    def __init__(self, module, query, key, value, scale):
        self.module, self.query, self.key, self.value, self.scale = module, query, key, value, scale
        self.mask = self.output = None
        # Why no kernel can take its place.
        self.refused = None

    def facts(self):
        """As model-sites tells them."""
        batch, heads, queries, dim = self.query.shape
        widths = {'keys': dim, 'values': self.value.shape[-1]}
        return {
            'batch': batch,
            'heads': heads,
            'kvHeads': self.key.shape[1],
            'queries': queries,
            'keys': self.key.shape[2],
            'headDim': max(widths.values()),
            **({} if widths['keys'] == widths['values'] else {'widths': widths}),
            'scale': self.scale,
            'dtype': dtypes.get(self.query.dtype, str(self.query.dtype)),
            # Of a single query, nothing tells.
            'causal': None if queries == 1 else self.mask.causal,
            'padded': self.mask.padding is not None,
            'biased': self.mask.bias is not None,
            **({} if self.mask.window is None else {'window': dict(zip(('left', 'right'), self.mask.window))}),
            **({} if self.refused is None else {'refused': self.refused}),
        }


class Observer(torch.overrides.TorchFunctionMode if torch is not None else object):
    """Within it every call of attention is seen, and what attends elsewhere: `with Observer(model) as observer`."""

    def __init__(self, model, keep=None):
        super().__init__()
        self.model = model
        self.paths = {id(module): path for path, module in model.named_modules()}
        # Paths of the modules whose tensors are kept; None: none are.
        self.keep = keep
        self.calls = []
        self.elsewhere = {}
        self.inside = self.count = 0

    def __enter__(self):
        self.led = interface.is_led(self.model)
        interface.lead(self.model)
        interface.observer = self
        return super().__enter__()

    def __exit__(self, *error):
        interface.observer = None
        if not self.led:
            interface.release(self.model)
        return super().__exit__(*error)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        before = self.count
        output = func(*args, **(kwargs or {}))
        attends = getattr(func, '__name__', '') in attending and args and isinstance(args[0], torch.Tensor) and args[0].dim() > 2
        # nn.MultiheadAttention's function calls the operator, which is seen.
        if attends and self.inside == 0 and self.count == before:
            self.elsewhere.setdefault(caller(), f'{func.__name__} of {[*args[0].shape]}')
        return output

    def call(self, module, query, key, value, attention_mask, dropout, scaling, is_causal, kwargs):
        """In the place of `interface.attend`."""
        self.inside += 1
        self.count += 1
        try:
            call = self.described(module, query, key, value, attention_mask, scaling, is_causal, kwargs)
            output = interface.attend(module, query, key, value, attention_mask, dropout, scaling, is_causal, kwargs)
        finally:
            self.inside -= 1
        if len(self.calls) < most_calls:
            call.output = output[0].transpose(1, 2)
            self.calls.append(with_copies(call) if self.keep is not None and call.module in self.keep else without_tensors(call))
        return output

    def described(self, module, query, key, value, attention_mask, scaling, is_causal, kwargs):
        """The call before it is made."""
        if id(module) not in self.paths:
            raise Unsupported(f'{caller()}: a {type(module).__name__} attends that is no module of {type(self.model).__name__}: is it kept in a plain list?')
        scale = query.shape[-1] ** -0.5 if scaling is None else float(scaling)
        call = Call(self.paths[id(module)], query, key, value, scale)
        bias = kwargs.get('position_bias')
        call.key, call.value, call.mask = interface.settled(module, query, key, value, attention_mask, is_causal, bias)
        word = interface.beyond(kwargs)
        if word is not None:
            call.refused = f'the model gives it {word}, which no kernel for models takes'
        return call


def whole_bias(call):
    """What is added to the logits of a call, a window of the model's own included: f32, four axes; None where nothing is."""
    bias, window = call.mask.bias, call.mask.window
    if window is None:
        return None if bias is None else bias.float()
    queries, keys = call.query.shape[2], call.key.shape[2]
    position = torch.arange(keys - queries, keys, device=call.query.device)
    least = torch.finfo(torch.float32).min
    beyond = outside(window, position, keys)
    band = torch.zeros(beyond.shape, device=beyond.device).masked_fill(beyond, least)
    return band if bias is None else (bias.float() + band).clamp(min=least)


def with_copies(call):
    """The call with tensors of its own: a model may go on in those that it handed over."""
    for name in ('query', 'key', 'value', 'output'):
        setattr(call, name, getattr(call, name).clone())
    return call


def without_tensors(call):
    """The call with shapes alone."""
    for name in ('query', 'key', 'value', 'output'):
        setattr(call, name, getattr(call, name).to('meta'))
    call.mask = masks.Mask(*(part.to('meta') if isinstance(part, torch.Tensor) else part for part in call.mask))
    return call
