"""Whether products in half precision ran natively on the processor, or were emulated: converted to f32 and back."""
import os
import platform
import re
import tempfile

from .torch_import import torch

names = {torch.float16: 'f16', torch.bfloat16: 'bf16'} if torch is not None else {}


def half_precision_flags(call, dtype):
    """What to say of one call on the processor in a dtype."""
    name = names.get(dtype)
    one_dnn = torch.backends.mkldnn
    if name is None or not one_dnn.is_available() or not hasattr(one_dnn, 'verbose'):
        return []
    try:
        ran = products(name, one_dnn_lines(call))
    except Exception as error:  # Whatever it is: the kernel has been measured, and this only says more about it.
        return [f'whether {name} ran natively is unknown: {type(error).__name__}']
    if platform.machine() not in ('x86_64', 'AMD64'):
        return [f'{name} products ran in oneDNN: {", ".join(sorted(ran))}'] if ran else []
    told = [f'{name} ran natively in oneDNN ({each})' if native(name, each) else f'{name} was emulated: oneDNN ({each}) converts to f32 and back' for each in sorted(ran)]
    return told or [f"{name} was emulated: PyTorch's own code converts to f32 and back"]


def native(name, implementation):
    """Whether oneDNN's code multiplies in the dtype: tiles do, and bf16 has vector instructions; f16 is added up in f32 vectors."""
    return 'amx' in implementation or implementation == 'brgemm' or (name == 'bf16' and re.search('bf16|avx10', implementation) is not None)


def products(name, lines):
    """The code that ran products in the dtype, from oneDNN's log: `matmul,brg_matmul:avx512_core_amx,…,src:bf16:…`, by its version `src_bf16`."""
    found = (re.search(rf',(matmul|inner_product|brgemm),([^,]*),.*\bsrc[:_]{name}\b', line) for line in lines if 'exec' in line)
    # PyTorch calls the bare kernel `brgemm`, which has no name of its own, only where the processor has tiles.
    return {each.group(2) or each.group(1) for each in found if each}


def one_dnn_lines(call):
    """What oneDNN logs during one call. It writes to the process's standard output."""
    with tempfile.TemporaryFile() as file:
        kept = os.dup(1)
        os.dup2(file.fileno(), 1)
        try:
            with torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON):
                call()
        finally:
            os.dup2(kept, 1)
            os.close(kept)
        file.seek(0)
        return file.read().decode(errors='replace').splitlines()
