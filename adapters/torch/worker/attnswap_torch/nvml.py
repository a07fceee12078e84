"""NVML, the library that NVIDIA's driver brings: the energy that a GPU has taken."""
import ctypes


class EnergyCounter:
    """The counter of one GPU, by its PCI address. It counts the whole board since the driver was loaded; GPUs before Volta have none."""

    def __init__(self, bus_id):
        """Raises OSError where there is no NVML, no such device, or no counter."""
        self.library = ctypes.CDLL('libnvidia-ml.so.1')
        self.function('nvmlErrorString').restype = ctypes.c_char_p
        self.device = ctypes.c_void_p()
        self.call('nvmlInit_v2')
        self.call('nvmlDeviceGetHandleByPciBusId_v2', bus_id.encode(), ctypes.byref(self.device))

    def joules(self):
        """All energy so far; the driver renews it some ten times a second. Raises OSError."""
        millijoules = ctypes.c_ulonglong()
        self.call('nvmlDeviceGetTotalEnergyConsumption', self.device, ctypes.byref(millijoules))
        return millijoules.value / 1000

    def call(self, name, *arguments):
        """One function of NVML, each of which returns 0 or what went wrong."""
        code = self.function(name)(*arguments)
        if code != 0:
            raise OSError(f'{name}: {self.library.nvmlErrorString(code).decode()}')

    def function(self, name):
        """Old drivers lack some. Raises OSError."""
        try:
            return getattr(self.library, name)
        except AttributeError:
            raise OSError(f'this libnvidia-ml.so.1 has no {name}') from None
