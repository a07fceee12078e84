"""What this machine's processor is to PyTorch."""
import platform
import sys

from .blas import blas_in_use
from .device import dtypes_of, settle
from .torch_import import torch


def describe_cpu():
    """The backend torch-cpu as `hello` tells it."""
    settle(None)
    device = torch.device('cpu')
    dtypes = dtypes_of(device)  # Multiplies, so that the BLAS is loaded when it is looked for.
    return {
        'name': 'torch-cpu',
        'available': True,
        'version': f'PyTorch {torch.__version__}',
        'device': processor(),
        'threads': torch.get_num_threads(),
        'dtypes': dtypes,
        'details': {
            **blas_in_use(),
            'oneDNN': one_dnn(),
            'f32 products': 'true f32',
            'instructions': instructions(),
            'transformers': transformers(),
            'DeepSpeed': installed('deepspeed') or f'not installed; --deepspeed needs it: {sys.executable} -m pip install deepspeed',
        },
    }


def transformers():
    """Which transformers there is, for models; or what is missing, and the command that brings it."""
    command = f'{sys.executable} -m pip install "transformers>=5"'
    found = installed('transformers')
    if found is None:
        return f'not installed; models need it: {command}'
    return found if int(found.split('.')[0]) >= 5 else f'{found}; models need 5 or later: {command}'


def installed(package):
    """The version of a package; None without it."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None


def processor():
    """The processor's name."""
    try:
        with open('/proc/cpuinfo', encoding='utf-8') as file:
            for line in file:
                if line.startswith('model name'):
                    return line.split(':', 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or 'CPU'


def one_dnn():
    """Whether PyTorch can hand products to oneDNN (MKL-DNN)."""
    return 'yes' if torch.backends.mkldnn.is_available() else 'no'


def instructions():
    """The vector instructions that PyTorch's own kernels use."""
    if hasattr(torch.backends, 'cpu') and hasattr(torch.backends.cpu, 'get_cpu_capability'):
        return torch.backends.cpu.get_cpu_capability()
    for line in torch.__config__.show().splitlines():
        if 'CPU capability usage' in line:
            return line.split(':', 1)[1].strip()
    return 'unknown'
