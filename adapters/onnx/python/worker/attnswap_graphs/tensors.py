"""Tensors of attnswap's safetensors files as NumPy arrays."""
import json
import math
import struct

import numpy as np

from .words import Unsupported

kinds = {'F32': '<f4', 'F16': '<f2', 'F64': '<f8', 'I64': '<i8', 'I32': '<i4', 'I8': 'i1', 'U8': 'u1', 'BOOL': '?'}
codes = {np.dtype(code): name for name, code in kinds.items()}
# Names of a kernel's inputs in the file and in its ONNX model.
names = {'q': 'query', 'k': 'key', 'v': 'value', 'mask': 'mask', 'gate.u': 'gate_u', 'gate.w': 'gate_w', 'gate.b': 'gate_b'}


def read(path):
    """The tensors of a file by their names in it. Raises ValueError where the file is not what its header says."""
    with open(path, 'rb') as file:
        content = file.read()
    (length,) = struct.unpack_from('<Q', content)
    header = json.loads(content[8 : 8 + length])
    return {name: array(content, 8 + length, at) for name, at in header.items() if name != '__metadata__'}


def array(content, start, at):
    """A copy of one tensor, whose data begin at `start`: its own memory, aligned."""
    found = np.frombuffer(content, kinds[at['dtype']], math.prod(at['shape']), start + at['data_offsets'][0])
    return found.reshape(at['shape']).copy()


def feeds(tensors, dtype):
    """A kernel's inputs by their names in its model, in `dtype`; a mask as booleans."""
    floats = np.float16 if dtype == 'f16' else np.float32
    return {names[name]: values.astype(bool if name == 'mask' else floats) for name, values in tensors.items() if name in names}


def write(path, tensors):
    """Writes tensors by name, row-major, each as what it is. Raises Unsupported for a type that attnswap reads from no file."""
    header, chunks, offset = {}, [], 0
    for name, values in tensors.items():
        values = np.asarray(values)
        code = codes.get(values.dtype)
        if code is None:
            raise Unsupported(f'output {name} has type {values.dtype}, expected one of {", ".join(kinds)}')
        chunks.append(values.tobytes())
        header[name] = {'dtype': code, 'shape': values.shape, 'data_offsets': [offset, offset + values.nbytes]}
        offset += values.nbytes
    told = json.dumps(header).encode()
    told += b' ' * (-len(told) % 8)
    with open(path, 'wb') as file:
        file.write(struct.pack('<Q', len(told)) + told)
        for chunk in chunks:
            file.write(chunk)
