"""What a model's attention does, seen while it runs."""
from ..torch_import import torch
from . import interface, masks
from .plain import caller

most_calls = 10_000
attending = ('softmax', 'scaled_dot_product_attention', '_native_multi_head_attention', 'multi_head_attention_forward')
dtypes = {torch.float32: 'f32', torch.float16: 'f16', torch.bfloat16: 'bf16'} if torch is not None else {}


class Call:
    """One call of attention: query [batch, heads, queries, headDim], key and value, output in the query's shape, and what masked it."""

    def __init__(self, module, query, key, value, scale):
        self.module, self.query, self.key, self.value, self.scale = module, query, key, value, scale
        self.padding = self.causal = self.bias = self.output = None
        # Why no kernel can take its place.
        self.refused = None

    def facts(self):
        """As model-sites tells them."""
        batch, heads, queries, dim = self.query.shape
        return {
            'batch': batch,
            'heads': heads,
            'kvHeads': self.key.shape[1],
            'queries': queries,
            'keys': self.key.shape[2],
            'headDim': dim,
            'scale': self.scale,
            'dtype': dtypes.get(self.query.dtype, str(self.query.dtype)),
            # Of a single query, nothing tells.
            'causal': None if queries == 1 else self.causal,
            'padded': self.padding is not None,
            'biased': self.bias is not None,
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
            self.calls.append(call if self.keep is not None and call.module in self.keep else without_tensors(call))
        return output

    def described(self, module, query, key, value, attention_mask, scaling, is_causal, kwargs):
        """The call before it is made."""
        scale = query.shape[-1] ** -0.5 if scaling is None else float(scaling)
        call = Call(self.paths[id(module)], query, key, value, scale)
        try:
            key, value, call.padding, call.causal = interface.settled(module, query, key, value, attention_mask, is_causal)
            call.key, call.value = key, value
        except masks.MoreThanPadding as reason:
            told = getattr(attention_mask, 'attnswap', None)
            whole = attention_mask if told is None else told.whole()
            call.bias = None if whole is None else added(whole, query)
            call.causal = False
            call.refused = f'its mask is more than padding and causality: {reason}'
        word = interface.beyond(kwargs)
        if word is not None:
            call.refused = f'the model gives it {word}, which no kernel for models takes'
        if word == 'position_bias':
            call.bias = kwargs[word].float() if call.bias is None else kwargs[word] + call.bias
        if value.shape[-1] != query.shape[-1]:
            call.refused = f'its values are {value.shape[-1]} wide and its queries {query.shape[-1]}'
        return call


def added(mask, query):
    """A mask as what is added to logits, four axes, f32."""
    if mask.dtype == torch.bool:
        return torch.zeros(mask.shape, device=query.device).masked_fill(~mask, torch.finfo(torch.float32).min)
    return mask.float()


def without_tensors(call):
    """The call with shapes alone."""
    for name in ('query', 'key', 'value', 'output'):
        setattr(call, name, getattr(call, name).to('meta'))
    return call
