"""Devices, threads and the precision of products."""
from . import blas
from .torch_import import torch
from .unsupported import Unsupported

default_threads = None if torch is None else torch.get_num_threads()


def of_backend(backend, rank=0):
    """The torch.device of a backend; of several ranks on GPUs, each has its own. Raises Unsupported."""
    if backend == 'torch-cpu':
        return torch.device('cpu')
    if backend != 'torch-cuda':
        raise Unsupported(f'no backend {backend}, only torch-cpu and torch-cuda')
    if not torch.cuda.is_available():
        raise Unsupported('torch.cuda finds no device')
    if rank > 0:
        found = torch.cuda.device_count()
        if rank >= found:
            raise Unsupported(f'rank {rank} needs a GPU of its own, and torch.cuda finds {found}')
        torch.cuda.set_device(rank)
    return torch.device('cuda', torch.cuda.current_device())


def settle(threads):
    """Threads as wished or the runtime's own number; f32 products in true f32; sums of half-precision products in f32."""
    torch.set_num_threads(default_threads if threads is None else int(threads))
    for pool in blas.own_pools() if threads is not None else ():
        pool.openblas_set_num_threads(int(threads))
    torch.set_float32_matmul_precision('highest')  # Turns TF32 off.
    for name in ('allow_fp16_reduced_precision_reduction', 'allow_bf16_reduced_precision_reduction'):
        switch_off(torch.backends.cuda.matmul, name)


def settle_allocator():
    """
    Frees one large block. From then on glibc keeps blocks below that size rather than hand them back and fault their pages in again at
    every call; without it a process that happens to have freed something large before is faster than one that has not.
    """
    torch.empty(31 * 2**20, dtype=torch.uint8)


def switch_off(settings, name):
    """Sets a setting to False where this release has it. Settings that are missing raise AssertionError in old ones."""
    try:
        getattr(settings, name)
    except (AttributeError, AssertionError):
        return
    setattr(settings, name, False)


def synchronize(device):
    """Waits until all work on the device is done."""
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


def dtypes_of(device):
    """The dtypes that the device really multiplies, normalises and sorts: f32 always, the others as they are tried."""
    return [name for name, dtype in (('f32', torch.float32), ('f16', torch.float16), ('bf16', torch.bfloat16)) if serves(device, dtype)]


def serves(device, dtype):
    """Whether one tiny attention with a selection runs in `dtype`."""
    try:
        x = torch.ones(2, 4, 8, device=device, dtype=dtype)
        weights = torch.softmax(x @ x.transpose(-1, -2), -1)
        torch.topk(weights, 2)
        torch.sort(weights, descending=True, stable=True)
        return bool(torch.isfinite((weights @ x).float()).all())
    except (RuntimeError, NotImplementedError):
        return False
