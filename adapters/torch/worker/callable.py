"""A Python function of q, k, v and a keyword as a worker: what attnswap audit --callable runs. adapters/PROTOCOL.md."""
import hashlib
import importlib
import inspect
import json
import os
import struct
import sys
import time
from types import SimpleNamespace

from attnswap_torch.loop import serve

given = json.loads(sys.argv[1])
# Read by libraries when they are imported.
for library in ('OMP', 'OPENBLAS', 'MKL'):
    os.environ[library + '_NUM_THREADS'] = str(given['threads'])
# The user's modules, as python -m would find them.
sys.path[0] = os.getcwd()


class NumpyArrays:
    """q, k and v as NumPy arrays."""

    def __init__(self):
        import numpy

        self.numpy = numpy
        self.version = f'NumPy {numpy.__version__}'

    def array(self, values, shape, _):
        return self.numpy.frombuffer(values, '<f4').reshape(shape)

    def raw(self, array):
        return self.numpy.ascontiguousarray(array, '<f4').tobytes()

    def cuda(self):
        return False

    def settle(self, _):
        return SimpleNamespace(type='cpu')

    def guard(self):
        from contextlib import nullcontext

        return nullcontext()


class TorchArrays:
    """q, k and v as PyTorch tensors."""

    def __init__(self):
        import torch

        self.torch = torch
        self.version = f'PyTorch {torch.__version__}'

    def array(self, values, shape, device):
        return self.torch.frombuffer(values, dtype=self.torch.float32).clone().view(shape).to(device)

    def raw(self, array):
        from attnswap_torch.safetensors_file import raw_bytes

        return raw_bytes(array)

    def cuda(self):
        return self.torch.cuda.is_available()

    def settle(self, question):
        from attnswap_torch import device

        device.settle(question.get('threads'))
        if question.get('purpose') != 'memory':
            device.settle_allocator()
        return device.of_backend(question['backend'].replace('callable', 'torch'))

    def guard(self):
        return self.torch.no_grad()


def load():
    """The function, and the keyword that takes the knob."""
    module, _, name = given['target'].partition(':')
    function = importlib.import_module(module)
    for part in name.split('.'):
        function = getattr(function, part)
    parameters = inspect.signature(function).parameters
    keywords = [keyword for keyword in given['keywords'] if keyword in parameters]
    if not keywords and not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        raise TypeError(f'{given["target"]}{inspect.signature(function)} takes none of the keywords {", ".join(given["keywords"])}')
    return function, (keywords or given['keywords'])[0]


def read(path):
    """q, k and v of a safetensors file: bytes and shape by name."""
    with open(path, 'rb') as file:
        header = json.loads(file.read(struct.unpack('<Q', file.read(8))[0]))
        data = file.read()
    return {name: (bytearray(data[slice(*at['data_offsets'])]), at['shape']) for name, at in header.items() if name in ('q', 'k', 'v')}


class Answers:
    """The worker's state: one call."""

    runs_users_code = True

    def __init__(self):
        self.arrays = self.device = self.call = None

    def on_hello(self, _):
        try:
            self.arrays = {'numpy': NumpyArrays, 'torch': TorchArrays}[given['arrays']]()
            self.function, self.keyword = load()
            problem = None
        except Exception as error:  # Whatever the user's module does when it is imported.
            problem = f'{type(error).__name__}: {" ".join(str(error).split())[:1000]}'
        kernels = [{'variant': given['variant'], 'kernel': 'callable', 'summary': given['target'], 'scored': 'cost'}]
        return {'protocol': 'attnswap.worker/1', 'name': 'callable', 'version': '1.0', 'backends': [self.backend(name, problem) for name in ('callable-cpu', 'callable-cuda')], 'kernels': kernels}

    def backend(self, name, problem):
        if problem is None and name == 'callable-cuda' and not self.arrays.cuda():
            problem = 'torch.cuda finds no device' if given['arrays'] == 'torch' else 'NumPy computes on the processor'
        if problem is not None:
            return {'name': name, 'available': False, 'reason': problem, 'mend': '--python or ATTNSWAP_PYTHON selects another Python'}
        device = 'NVIDIA GPU' if name == 'callable-cuda' else 'CPU'
        return {'name': name, 'available': True, 'version': self.arrays.version, 'device': device, 'dtypes': ['f32']}

    def on_prepare(self, question):
        self.device = self.arrays.settle(question)
        tensors = read(question['inputs'])
        digest = hashlib.sha256(b''.join(tensors[name][0] for name in 'qkv')).hexdigest()
        q, k, v = (self.arrays.array(*tensors[name], self.device) for name in 'qkv')
        knob = {self.keyword: question['parameters'][given['parameter']]}
        self.call = lambda: self.function(q, k, v, **knob)
        self.shape = [*q.shape]
        return {'inputs': digest}

    def on_check(self, question):
        with self.arrays.guard():
            output = self.call()
        if [*output.shape] != self.shape:
            raise ValueError(f'{given["target"]} returns shape {[*output.shape]}, expected {self.shape}: [batch, heads, queries, head dimension]')
        values = self.arrays.raw(output)
        header = json.dumps({'o': {'dtype': 'F32', 'shape': self.shape, 'data_offsets': [0, len(values)]}}).encode()
        header += b' ' * (-len(header) % 8)
        with open(question['output'], 'wb') as file:
            file.write(struct.pack('<Q', len(header)) + header + values)
        return {}

    def on_sample(self, question):
        with self.arrays.guard():
            if self.device.type == 'cuda':
                from attnswap_torch.timing import cuda_ns

                return {'elapsedNs': cuda_ns(self, question['calls'])}
            start = time.perf_counter_ns()
            for _ in range(question['calls']):
                self.call()
            return {'elapsedNs': time.perf_counter_ns() - start}

    def on_memory(self, _):
        with self.arrays.guard():
            if self.device.type == 'cuda':
                from attnswap_torch.memory import peak

                return peak(self)
            self.call()
        return {}

    def on_dispatch(self, _):
        return {'operators': [], 'flags': ['a function of your own: what it runs is not known']}


serve(Answers)
