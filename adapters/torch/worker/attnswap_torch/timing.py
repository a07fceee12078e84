"""Time of calls, by a clock next to them."""
import time

from .device import synchronize
from .torch_import import torch


def sample(prepared, calls, purpose=None):
    """Nanoseconds that `calls` calls took, one after the other. For `energy` nothing else runs on the device beside them."""
    on_device = prepared.device.type == 'cuda'
    return cuda_ns(prepared, calls) if on_device and purpose != 'energy' else loop_ns(prepared, calls)


def loop_ns(prepared, calls):
    """By the monotonic clock, around a bare loop."""
    call = prepared.call
    start = time.perf_counter_ns()
    for _ in range(calls):
        call()
    synchronize(prepared.device)
    return time.perf_counter_ns() - start


def cuda_ns(prepared, calls):
    """By events on the stream around each call alone. Before each the L2 cache is overwritten, so that no call finds its inputs there."""
    flush = cache_flush(prepared.device)
    pairs = [(torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)) for _ in range(calls)]
    for start, end in pairs:
        flush.zero_()
        start.record()
        prepared.call()
        end.record()
    torch.cuda.synchronize(prepared.device)
    return 1e6 * sum(start.elapsed_time(end) for start, end in pairs)


def cache_flush(device):
    """A buffer of twice the L2 cache's bytes; of 256 MiB where its size is not known."""
    properties = torch.cuda.get_device_properties(device)
    cache_bytes = getattr(properties, 'L2_cache_size', None) or 128 * 2**20
    return torch.empty(2 * cache_bytes, dtype=torch.int8, device=device)
