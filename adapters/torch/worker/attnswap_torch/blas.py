"""Which BLAS multiplies: the reference implementation is tens of times slower than the others, and nothing else says so; and on how many threads."""
import ctypes
import re

from .torch_import import torch

libraries = (
    ('mkl', 'MKL'),
    ('openblas', 'OpenBLAS'),
    ('blis', 'BLIS'),
    ('atlas', 'ATLAS'),
    ('armpl', 'Arm Performance Libraries'),
)
slow = 'reference BLAS: tens of times slower than OpenBLAS'


def blas_in_use():
    """{'BLAS': …} and, where it is slow, {'BLAS advice': …}."""
    name = loaded_blas() or built_with()
    if name != slow:
        return {'BLAS': name}
    return {'BLAS': name, 'BLAS advice': 'apt-get install libopenblas0-pthread (it takes the place of libblas.so.3)'}


def loaded_blas():
    """The BLAS among this process's shared libraries, or None; to be asked after a product (Linux alone)."""
    paths = shared_libraries()
    return blas_among(paths) if paths else None


def shared_libraries():
    """Paths of what this process has loaded; none where there is no /proc."""
    try:
        with open('/proc/self/maps', encoding='utf-8', errors='replace') as file:
            return {line.split(maxsplit=5)[5].strip() for line in file if line.count('/') > 0 and '.so' in line}
    except (OSError, IndexError):
        return set()


def own_pools():
    """The OpenBLAS libraries that keep threads of their own (built with pthreads): torch.set_num_threads does not reach those."""
    pools = []
    for path in sorted(shared_libraries()):
        if re.search(r'libopenblas[^/]*\.so', path) is None:
            continue
        try:
            library = ctypes.CDLL(path)
            if library.openblas_get_parallel() == 1:
                pools.append(library)
        except (OSError, AttributeError):
            continue  # Another build's names; it is left as it is.
    return pools


def blas_among(paths):
    """The BLAS among paths of shared libraries, or None where there is none that one knows."""
    for part, name in libraries:
        for path in sorted(paths):
            if re.search(rf'lib{part}[^/]*\.so', path.lower()):
                return name
    return slow if any(re.search(r'/libblas\.so', path) for path in paths) else None


def built_with():
    """The BLAS that PyTorch was built with."""
    told = torch.__config__.show()
    if 'Math Kernel Library' in told or torch.backends.mkl.is_available():
        return 'MKL'
    found = re.search(r'BLAS_INFO=(\w+)', told)
    return found.group(1) if found else 'unknown'
