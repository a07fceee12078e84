"""What this machine's GPU is to PyTorch."""
import subprocess

from . import nvml
from .device import dtypes_of, settle
from .torch_import import torch

mend = 'install a PyTorch built for this GPU: https://pytorch.org/get-started/locally'


def describe_cuda():
    """The backend torch-cuda as `hello` tells it."""
    if not torch.cuda.is_available():
        built = getattr(torch.version, 'cuda', None) or getattr(torch.version, 'hip', None)
        why = 'finds no device' if built else 'was built without CUDA'
        return {'name': 'torch-cuda', 'available': False, 'reason': f'PyTorch {torch.__version__} {why}', 'mend': mend}
    settle(None)
    try:
        device = torch.device('cuda', torch.cuda.current_device())
        properties = torch.cuda.get_device_properties(device)
        return {
            'name': 'torch-cuda',
            'available': True,
            'version': f'PyTorch {torch.__version__}',
            'device': properties.name,
            'threads': None,
            'dtypes': dtypes_of(device),
            'details': details(properties),
            **energy_told(properties),
        }
    except RuntimeError as error:
        words = ' '.join(str(error).split())[:300]
        return {'name': 'torch-cuda', 'available': False, 'reason': f'PyTorch {torch.__version__}: {words}', 'mend': mend}


def details(properties):
    """What else decides about speed."""
    cudnn = torch.backends.cudnn.version() if torch.backends.cudnn.is_available() else None
    return {
        'capability': f'{properties.major}.{properties.minor}',
        'memory': f'{properties.total_memory / 2**30:.1f} GiB',
        'CUDA': str(getattr(torch.version, 'cuda', None) or getattr(torch.version, 'hip', None)),
        'driver': ask_driver('driver_version') or 'unknown',
        'cuDNN': str(cudnn),
        'f32 products': 'true f32, TF32 is off',
    }


def energy_told(properties):
    """That the device counts its energy, where it does."""
    try:
        energy_counter().joules()
    except OSError:
        return {}
    return {'energyCounter': f'NVML total energy of {properties.name}'}


def energy_counter():
    """The current device's. Raises OSError."""
    return nvml.EnergyCounter(bus_id())


def ask_driver(*fields):
    """What nvidia-smi says of the current device, comma-separated; None where it is missing or slow."""
    command = ['nvidia-smi', f'--query-gpu={",".join(fields)}', '--format=csv,noheader', f'--id={bus_id()}']
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=2, check=True, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError):
        return None
    return said.stdout.strip()[:200]


def bus_id():
    """The current device as nvidia-smi names it, whatever CUDA_VISIBLE_DEVICES says; its index where PyTorch does not know."""
    properties = torch.cuda.get_device_properties(torch.cuda.current_device())
    if not hasattr(properties, 'pci_bus_id'):
        return str(torch.cuda.current_device())
    return f'{properties.pci_domain_id:08x}:{properties.pci_bus_id:02x}:{properties.pci_device_id:02x}.0'
