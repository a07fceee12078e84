"""Device memory of one call, by PyTorch's allocator."""
import gc

from .torch_import import torch


def peak(prepared):
    """One call; how far it raised the allocator's peak on a device of its own. Host memory is read from outside."""
    gc.collect()
    if prepared.device.type != 'cuda':
        prepared.call()
        return {}
    torch.cuda.synchronize(prepared.device)
    held = torch.cuda.memory_allocated(prepared.device)
    torch.cuda.reset_peak_memory_stats(prepared.device)
    prepared.call()
    torch.cuda.synchronize(prepared.device)
    risen = torch.cuda.max_memory_allocated(prepared.device) - held
    return {'peakDeviceBytes': risen, 'deviceMethod': 'torch.cuda.max_memory_allocated'}
