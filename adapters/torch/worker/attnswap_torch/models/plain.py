"""Attention of our own in modules that call torch.nn.functional.scaled_dot_product_attention, themselves or through nn.MultiheadAttention."""
import contextlib
import functools
import sys
import weakref

from ..torch_import import torch
from ..unsupported import Unsupported

real = None
# What stands in the operator's place, while any model is led.
stand_in = None
leading = weakref.WeakSet()
# Whether a call is being answered: kernels call the operator, too.
busy = False


def lead(model, attention, leads=lambda _: True):
    """Has `attention` called, as transformers would call it, for every call of the operator inside those of the model's modules that `leads` picks."""
    global real, stand_in
    release(model)
    leading.add(model)
    if stand_in is None:
        real = torch.nn.functional.scaled_dot_product_attention
        stand_in = torch.nn.functional.scaled_dot_product_attention = led_by(attention)
    for module in model.modules():
        module.__dict__['attnswap_led'] = leads(module)
    attentions = {path: module for path, module in multiheads(model).items() if leads(module)}
    for path, module in attentions.items():
        replace(module, openly(path, module))
    if attentions:
        replace(model, step_by_step(model.forward))


def release(model):
    """Gives the modules the operator back; once no model is led, all calls of it cost what they did."""
    global stand_in
    leading.discard(model)
    # Whoever took its place since goes on calling it.
    if not leading and stand_in is not None and torch.nn.functional.scaled_dot_product_attention is stand_in:
        torch.nn.functional.scaled_dot_product_attention, stand_in = real, None
    for module in model.modules():
        module.__dict__.pop('attnswap_led', None)
        own = module.__dict__.pop('attnswap_forward', module)
        if own is None:
            del module.forward
        elif own is not module:
            module.forward = own


def multiheads(model):
    """The modules that compute nn.MultiheadAttention by PyTorch's own code, by path."""
    return {path: module for path, module in model.named_modules() if type(module).forward is torch.nn.MultiheadAttention.forward}


def replace(module, forward):
    """Gives a module another forward pass until `release`."""
    module.__dict__.setdefault('attnswap_forward', module.__dict__.get('forward'))
    module.forward = forward


def step_by_step(forward):
    """A forward pass without PyTorch's fast paths, which compute attention, or whole layers, in one kernel of their own."""

    # With its signature, by which transformers' generate() tells what it may pass.
    @functools.wraps(forward)
    def slow(*inputs, **named):
        with without_fast_paths():
            return forward(*inputs, **named)

    return slow


@contextlib.contextmanager
def without_fast_paths():
    switch = getattr(torch.backends, 'mha', None)
    # Older releases of PyTorch have no switch.
    if switch is None:
        yield
        return
    before = switch.get_fastpath_enabled()
    switch.set_fastpath_enabled(False)
    try:
        yield
    finally:
        switch.set_fastpath_enabled(before)


def openly(path, module):
    """nn.MultiheadAttention that calls the operator where it is seen or has other attention: asked for weights, PyTorch writes them out instead."""
    own = module.forward

    @functools.wraps(own)
    def forward(query, key, value, key_padding_mask=None, need_weights=True, *more, **named):
        from . import interface

        seen = interface.observer is not None or module.__dict__.get('attnswap_placed') is not None
        output, weights = own(query, key, value, key_padding_mask, need_weights and not seen, *more, **named)
        return output, no_weights(path) if need_weights and seen else weights

    return forward


# What Python looks up on the type, not on the object.
arithmetic = ('add', 'sub', 'mul', 'matmul', 'truediv', 'floordiv', 'mod', 'pow', 'and', 'or', 'xor', 'lshift', 'rshift')
reading = (
    *('getattr', 'getitem', 'setitem', 'len', 'iter', 'contains', 'bool', 'int', 'float', 'complex', 'index'),
    *('neg', 'pos', 'abs', 'invert', 'eq', 'ne', 'lt', 'le', 'gt', 'ge', *arithmetic, *(f'r{name}' for name in arithmetic)),
)


def no_weights(path):
    """In the place of weights that other attention does not give: to read them raises Unsupported."""

    def refuse(*_, **__):
        raise Unsupported(f'{caller()}: reads the attention weights of {path}, which other attention does not return')

    methods = {f'__{name}__': refuse for name in reading}
    return type('NoWeights', (), {**methods, '__hash__': object.__hash__, '__torch_function__': classmethod(refuse)})()


def caller():
    """File and line of the innermost code that is neither PyTorch's nor of this package."""
    own = ('torch', __name__.partition('.')[0])
    frame = sys._getframe(1)
    while frame is not None and frame.f_globals.get('__name__', '').partition('.')[0] in own:
        frame = frame.f_back
    return 'unknown' if frame is None else f'{frame.f_code.co_filename}:{frame.f_lineno}'


def is_led(model):
    """Whether a model, or its module, is one whose calls of the operator are led."""
    return model.__dict__.get('attnswap_led', False)


def led_by(attention):
    """What stands in the operator's place."""

    def scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False):
        global busy
        module = None if busy or query.dim() != 4 else calling()
        more = {'enable_gqa': True} if enable_gqa else {}
        if module is None:
            return real(query, key, value, attn_mask=attn_mask, dropout_p=dropout_p, is_causal=is_causal, scale=scale, **more)
        busy = True
        try:
            output, _ = attention(module, query, key, value, attn_mask, dropout=dropout_p, scaling=scale, is_causal=is_causal, **more)
        finally:
            busy = False
        return output.transpose(1, 2)

    return scaled_dot_product_attention


def calling():
    """The innermost module that is at work, where its calls are led; None where they are not, or there is none."""
    frame = sys._getframe(2)
    while frame is not None:
        module = frame.f_locals.get('self')
        if isinstance(module, torch.nn.Module) and 'attnswap_led' in module.__dict__:
            return module if is_led(module) else None
        frame = frame.f_back
    return None


def own_attention(module, query, key, value, attention_mask, dropout=0.0, scaling=None, is_causal=False, **more):
    """The operator itself."""
    output = real(query, key, value, attn_mask=attention_mask, dropout_p=dropout, is_causal=is_causal, scale=scaling, **more)
    return output.transpose(1, 2), None
