"""safetensors files: eight bytes of length, a JSON header, the tensors' bytes. Read with every bound checked."""
import ctypes
import json
import struct

from .torch_import import torch

longest_header = 100_000_000


def read(path):
    """The file's tensors by name, in their shapes; U8 and BOOL as uint8. Raises ValueError for a file that is none."""
    with open(path, 'rb') as file:
        content = bytearray(file.read())
    if len(content) < 8:
        raise ValueError(f'{path}: {len(content)} bytes, expected at least 8')
    (length,) = struct.unpack_from('<Q', content)
    if length > min(longest_header, len(content) - 8):
        raise ValueError(f'{path}: the header claims {length} bytes of a file of {len(content)}')
    header = json.loads(content[8 : 8 + length].decode('utf-8'))
    if not isinstance(header, dict):
        raise ValueError(f'{path}: the header is not a JSON object')
    return {name: tensor(path, name, at, content, 8 + length) for name, at in header.items() if name != '__metadata__'}


def tensor(path, name, at, content, start):
    """One tensor of the file's bytes, whose data begin at `start`."""
    kinds = {
        'F32': (torch.float32, 4),
        'F16': (torch.float16, 2),
        'I64': (torch.int64, 8),
        'I32': (torch.int32, 4),
        'U8': (torch.uint8, 1),
        'BOOL': (torch.uint8, 1),
    }
    if at['dtype'] not in kinds:
        raise ValueError(f'{path}: {name} has dtype {at["dtype"]}, expected one of {", ".join(kinds)}')
    dtype, size = kinds[at['dtype']]
    begin, end = at['data_offsets']
    count = 1
    for dimension in at['shape']:
        if not isinstance(dimension, int) or dimension < 0:
            raise ValueError(f'{path}: {name} has shape {at["shape"]}')
        count *= dimension
    if not 0 <= begin <= end <= len(content) - start or end - begin != count * size:
        raise ValueError(f'{path}: {name} spans bytes {begin} to {end}, expected {count * size} of {len(content) - start}')
    if count == 0:
        return torch.empty(at['shape'], dtype=dtype)
    # A copy, so that the data are aligned whatever the header's length, and the file's bytes can go.
    return torch.frombuffer(content, dtype=torch.uint8, count=count * size, offset=start + begin).clone().view(dtype).view(at['shape'])


def write(path, tensors, typed=False):
    """Writes tensors by name, row-major, as F32; `typed` ones as they are: whole numbers as I64, truth values as BOOL."""
    header, chunks, offset = {}, [], 0
    for name, values in tensors.items():
        dtype, chunk = encoded(values) if typed else ('F32', raw_bytes(values))
        header[name] = {'dtype': dtype, 'shape': list(values.shape), 'data_offsets': [offset, offset + len(chunk)]}
        chunks.append(chunk)
        offset += len(chunk)
    told = json.dumps(header).encode('utf-8')
    told += b' ' * (-len(told) % 8)
    with open(path, 'wb') as file:
        file.write(struct.pack('<Q', len(told)) + told)
        for chunk in chunks:
            file.write(chunk)


def encoded(values):
    """A tensor's dtype in the file, and its bytes."""
    if values.dtype == torch.bool:
        return 'BOOL', bytes_of(values.detach().cpu().to(torch.uint8))
    if values.dtype in (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8):
        return 'I64', bytes_of(values.detach().cpu().to(torch.int64))
    return 'F32', raw_bytes(values)


def raw_bytes(values):
    """The little-endian float32 bytes of a tensor on any device, row-major."""
    return bytes_of(values.detach().to(device='cpu', dtype=torch.float32))


def bytes_of(values):
    """The bytes of a tensor of the processor's, row-major. NumPy is not needed."""
    plain = values.contiguous()
    return ctypes.string_at(plain.data_ptr(), plain.numel() * plain.element_size())
