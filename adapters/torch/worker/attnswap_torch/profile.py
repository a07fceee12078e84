"""What one call runs, from PyTorch's own profiler."""
from .cuda import ask_driver
from .device import synchronize
from .precision import half_precision_flags
from .torch_import import torch

fused = (
    ('flash_attention', 'flash'),
    ('efficient_attention', 'memory-efficient'),
    ('cudnn_attention', 'cuDNN'),
    ('attention_math', 'math'),
    ('overrideable', 'device-specific'),
)


def dispatch(prepared):
    """Operators with calls and self times, and what a reader of the figures should know."""
    on_device = prepared.device.type == 'cuda'
    before = clocks() if on_device else None
    events = profile(prepared, on_device)
    kernels_listed = any(on_gpu(event) for event in events)
    operators = [told for told in (operator(event, kernels_listed) for event in events) if told is not None]
    operators.sort(key=lambda told: -told['totalNs'])
    ran = fused_flags({event.key for event in events})
    unfused = ['torch.compile put no attention operator in: the n² logits were written out'] if prepared.kernel.logits and not ran else []
    half = [] if on_device else half_precision_flags(prepared.call, prepared.inputs.dtype)
    flags = [*ran, *unfused, *prepared.kernel.flags, *half]
    if on_device:
        flags += [f'SM clock and throttle reasons before the call: {before or "unknown"}; after: {clocks() or "unknown"}']
    return {'operators': operators[:200], 'flags': flags}


def profile(prepared, on_device):
    """The profiler's averages of one call."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    if on_device:
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    prepared.call()
    synchronize(prepared.device)
    with torch.profiler.profile(activities=activities) as recorded:
        prepared.call()
        synchronize(prepared.device)
    return recorded.key_averages()


def on_gpu(event):
    """Whether an event is a kernel on the device."""
    return str(getattr(event, 'device_type', '')).endswith('CUDA')


def operator(event, kernels_listed):
    """
    One line of the profile; None for what took no time. Kernels on the device are lines of their own where the profiler lists them;
    else an operator's line gives the device's time, where there is some.
    """
    device_us = first_of(event, 'self_device_time_total', 'self_cuda_time_total')
    of_device = on_gpu(event) or (device_us > 0 and not kernels_listed)
    provider, spent = ('CUDA', device_us) if of_device else ('CPU', event.self_cpu_time_total)
    if spent <= 0 or event.key.startswith('ProfilerStep'):
        return None
    return {'operator': event.key[:200], 'provider': provider, 'calls': event.count, 'totalNs': round(1000 * spent)}


def first_of(event, *names):
    """The first of these attributes that this release has, 0 where it has none."""
    for name in names:
        if hasattr(event, name):
            return getattr(event, name) or 0
    return 0


def fused_flags(keys):
    """Which backend of scaled_dot_product_attention ran."""
    ran = sorted({name for part, name in fused for key in keys if '_scaled_dot_product' in key and part in key})
    flags = [f'scaled_dot_product_attention ran its {name} backend' for name in ran]
    return flags + ['the n² logits were materialised'] if 'math' in ran else flags


def clocks():
    """The SM clock and why it is held back, in nvidia-smi's words."""
    return ask_driver('clocks.sm', 'clocks_event_reasons.active') or ask_driver('clocks.sm', 'clocks_throttle_reasons.active')
