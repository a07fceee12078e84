"""From a question to a kernel that is ready to be called."""
from . import device as devices
from .inputs import Inputs
from .kernels import build
from .prepared import Prepared
from .torch_import import torch
from .unsupported import Unsupported


def prepare(question):
    """The prepared kernel and the digest of its inputs. Raises Unsupported."""
    device = devices.of_backend(question['backend'])
    devices.settle(question.get('threads'))
    if question.get('purpose') != 'memory':
        devices.settle_allocator()
    if question.get('pass', 'forward') not in ('forward', 'forward+backward'):
        raise Unsupported(f'no pass {question["pass"]!r}, only forward and forward+backward')
    inputs = Inputs(question, device)
    if question.get('pass') == 'forward+backward' and inputs.output_gradient is None:
        raise ValueError('forward+backward without a tensor do')
    name = f'{question["variant"]}.{question["kernel"]}'
    kernel = build(name, inputs, question.get('pass') == 'forward+backward')
    prepared = Prepared(inputs, kernel, name, question)
    try:
        if kernel.tried:
            prepared.call()
            devices.synchronize(device)
    except (RuntimeError, NotImplementedError) as error:
        raise Unsupported(f'{name}: PyTorch {torch.__version__} refuses it: {first_words(error)}') from error
    return prepared, inputs.digest()


def first_words(error):
    """What an exception says, on one line."""
    return ' '.join(str(error).split())[:600]
