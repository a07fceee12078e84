"""OpenVINO: a kernel is a model compiled for one device, with static shapes, in a precision that is set and read back."""
import os
import sys

# Importing OpenVINO sends an event from a thread of its own and leaves files in the home folder, unless CI is set. Without this package it does not.
if os.environ.get('DO_NOT_TRACK') != '0':
    sys.modules['openvino_telemetry'] = None

import numpy as np
import openvino as ov

from . import openvino_sdpa
from .catalogue import openvino_devices
from .words import Unsupported, counted, first_words, threads_of

version = f'OpenVINO {ov.__version__.split("-")[0]}'
mend = {
    'CPU': 'reinstall openvino',
    'GPU': "install the GPU's OpenCL driver (Debian: apt-get install intel-opencl-icd)",
    'NPU': "install the NPU's driver: https://github.com/intel/linux-npu-driver/releases",
}
# What a device may compute kernels in, the widest first; an NPU has no f32.
dtypes = {'CPU': ['f32', 'f16'], 'GPU': ['f32', 'f16'], 'NPU': ['f16']}
# Devices that run models of fixed shapes only.
static_devices = ('NPU',)


def backends():
    """The backends as `hello` tells them."""
    core = ov.Core()
    return [describe(core, backend, device) for backend, device in openvino_devices.items()]


def describe(core, backend, device):
    """One backend: what the device is, or that OpenVINO does not find it."""
    if not is_found(core, device):
        reason = f'{version} finds no {device}, only {", ".join(core.available_devices) or "no device at all"}'
        return {'name': backend, 'available': False, 'reason': reason, 'mend': mend[device]}
    capabilities = core.get_property(device, 'OPTIMIZATION_CAPABILITIES')
    return {
        'name': backend,
        'available': True,
        'version': version,
        'device': core.get_property(device, 'FULL_DEVICE_NAME'),
        'threads': default_threads(core) if device == 'CPU' else None,
        'dtypes': [dtype for dtype in dtypes[device] if device != 'CPU' or dtype == 'f32' or 'FP16' in capabilities],
        'details': {'precision': 'set to that of the inputs', 'capabilities': ', '.join(capabilities)},
    }


def is_found(core, device):
    """Whether there is such a device: GPUs are numbered where there are several."""
    return any(name.split('.')[0] == device for name in core.available_devices)


def default_threads(core):
    """The threads that the CPU device takes unless a question says otherwise."""
    x = ov.opset13.parameter([1], np.float32)
    model = ov.Model([ov.opset13.relu(x)], [x])
    return core.compile_model(model, 'CPU', settings('f32', threads_of({}))).get_property('INFERENCE_NUM_THREADS')


def settings(dtype, threads):
    """How a model is compiled: by default a device may compute f32 models in half precision."""
    wish = {'PERFORMANCE_HINT': 'LATENCY', 'INFERENCE_PRECISION_HINT': dtype}
    return wish if threads is None else {**wish, 'INFERENCE_NUM_THREADS': threads}


def prepare(question, feeds):
    """The call of a kernel. Raises Unsupported."""
    if question['shape']['dtype'] == 'f16' and question['variant'] not in ('dense', 'window'):
        # Graphs keep selection and means in f32.
        raise Unsupported(f'{version} has one precision for a whole model, and {question["variant"]} needs f32 in parts of its graph')
    build = None if 'graph' in question else lambda: openvino_sdpa.build(question, 'mask' in feeds)
    model = Model(question.get('graph'), question, question['shape']['dtype'], build)
    # Whichever names OpenVINO finds for them, a kernel's inputs are named in its own graph.
    return model.bind([feeds[port.any_name] for port in model.graph.inputs])


def open_model(question):
    """A whole model, in the widest precision that the device has. Raises Unsupported."""
    return NamedModel(question)


class Model:
    """A model as OpenVINO read it, to be compiled for one device at the sizes of its inputs."""

    def __init__(self, path, question, precision, build=None):
        self.device = openvino_devices[question['backend']]
        self.wish = settings(precision, threads_of(question))
        self.core = ov.Core()
        if not is_found(self.core, self.device):
            raise Unsupported(f'{version} finds no {self.device}')
        try:
            self.graph = self.core.read_model(path) if build is None else build()
        except RuntimeError as error:
            raise Unsupported(f'{version} does not take the ONNX model: {first_words(error)}') from error
        break_ties_by_index(self.graph)
        self.sizes = self.compiled = None

    def bind(self, values):
        """A call on the inputs, in the order of the graph's; compiled anew where a size differs from the last call's."""
        sizes = [array.shape for array in values]
        if sizes != self.sizes:
            self.compiled = None
            self.compiled = self.fitted(sizes)
            self.sizes = sizes
        return Call(self.compiled, values)

    def fitted(self, sizes):
        """It compiled for these sizes. Raises Unsupported."""
        fixed = self.graph.clone()
        try:
            fixed.reshape({port: list(size) for port, size in zip(fixed.inputs, sizes)})
        except RuntimeError as error:
            raise Unsupported(f'{version} cannot give the model the sizes {sizes}: {first_words(error)}') from error
        return Compiled(self.core, self.device, fixed, self.wish)


class NamedModel(Model):
    """A whole model, whose inputs and outputs go by the names that its file has for them: OpenVINO may give a port another."""

    def __init__(self, question):
        super().__init__(question['model'], question, dtypes[openvino_devices[question['backend']]][0])
        self.inputs, self.outputs = ([each['name'] for each in question['inputs']], question['outputs'])
        found = [len(self.graph.inputs), len(self.graph.outputs)]
        if found != [len(self.inputs), len(self.outputs)]:
            raise Unsupported(f'{version} reads {found[0]} inputs and {found[1]} outputs in the model, expected {len(self.inputs)} and {len(self.outputs)}')

    def bind(self, feeds):
        call = super().bind([feeds[name] for name in self.inputs])
        call.names = self.outputs
        return call


def break_ties_by_index(model):
    """Equal values in the order of their indices, as ONNX demands of TopK, and OpenVINO does only where it is told to."""
    for node in operators_in(model):
        if node.get_type_name() == 'TopK':
            # Only sorted results can be stable.
            if node.get_attributes()['sort'] == 'none':
                node.set_attribute('sort', 'value')
            node.set_attribute('stable', True)


def operators_in(model):
    """Every operator, those in bodies of loops included."""
    for node in model.get_ops():
        yield node
        if node.get_type_name() in ('Loop', 'TensorIterator'):
            yield from operators_in(node.get_function())


def dynamic_operators(model):
    """Kinds of operators whose results have no fixed shape."""
    return {node.get_type_name() for node in operators_in(model) if any(output.get_partial_shape().is_dynamic for output in node.outputs())}


class Compiled:
    """A model compiled for a device, in a precision that was read back."""

    def __init__(self, core, device, model, wish):
        self.core, self.device, self.model, self.wish = core, device, model, wish
        self.dynamic = dynamic_operators(model)
        if device in static_devices and self.dynamic:
            raise Unsupported(f'an {device} runs fixed shapes only, and these operators have none: {", ".join(sorted(self.dynamic))}')
        self.code = self.compile(wish)
        got = self.code.get_property('INFERENCE_PRECISION_HINT').get_type_name()
        wanted = wish['INFERENCE_PRECISION_HINT']
        if got != wanted:
            raise Unsupported(f'{device} computes in {got}, although {wanted} was requested')
        self.precision = got

    def compile(self, wish):
        """The device's code. Raises Unsupported."""
        try:
            return self.core.compile_model(self.model, self.device, wish)
        except RuntimeError as error:
            raise Unsupported(f'{version} does not compile the model for {self.device}: {first_words(error)}') from error

    def flags(self, operators):
        """What a reader of the figures should know."""
        name = self.core.get_property(self.device, 'FULL_DEVICE_NAME').strip()
        flags = [f'compiled for {self.device} ({name}), computing in {self.precision}']
        total = sum(told['totalNs'] for told in operators)
        if self.precision != 'f32':
            others = [told for told in operators if told['provider'].endswith('_f32') and told['totalNs'] > total / 100]
            flags.append(f'computed in f32 all the same: {counted(others)}' if others else f'no operator computed in f32 instead of {self.precision}')
        whole = [told for told in operators if told['provider'].endswith('_I8')]
        if whole:
            flags.append(f'ran in int8: {counted(whole)}')
        plain = [told for told in operators if told['provider'].startswith('ref') and told['totalNs'] > total / 100]
        if plain:
            flags.append('fell back to reference code: ' + counted(plain))
        if self.dynamic:
            flags.append(f'shapes are known only at run time in {", ".join(sorted(self.dynamic))}')
        return flags


class Call:
    """A compiled model with its inputs in place."""

    names = ['output']

    def __init__(self, compiled, given):
        self.compiled, self.given = compiled, given
        self.request = self.bound(compiled.code)

    def bound(self, code):
        """A request that holds the inputs."""
        request = code.create_infer_request()
        for port, values in zip(code.inputs, self.given):
            request.set_tensor(port, ov.Tensor(values, shared_memory=True))
        return request

    def run(self):
        """One call; its results stay in the request."""
        if self.request is None:
            self.request = self.bound(self.compiled.code)
        self.request.infer(share_outputs=True)

    def outputs(self):
        """The last call's results by name."""
        return {name: self.request.get_output_tensor(place).data for place, name in enumerate(self.names)}

    def release(self):
        """Gives back the results, and the tensors between operators, which OpenVINO keeps from call to call."""
        self.request = None
        self.compiled.code.release_memory()

    def dispatch(self):
        """The operators of one call by OpenVINO's own counters, which a second compilation turns on."""
        request = self.bound(self.compiled.compile({**self.compiled.wish, 'PERF_COUNT': True}))
        for _ in range(3):
            request.infer(share_outputs=True)
        operators = summed(info for info in request.profiling_info if info.status == ov.ProfilingInfo.Status.EXECUTED)
        flags = self.compiled.flags(operators)
        return {'operators': [{**told, 'provider': self.compiled.device + ' ' + told['provider']} for told in operators], 'flags': flags}


def summed(infos):
    """Calls and time by operator and the code that ran it, the longest first."""
    totals = {}
    for info in infos:
        told = totals.setdefault((info.node_type, info.exec_type), {'operator': info.node_type, 'provider': info.exec_type, 'calls': 0, 'totalNs': 0})
        told['calls'] += 1
        told['totalNs'] += round(info.real_time.total_seconds() * 1e9)
    return sorted(totals.values(), key=lambda told: -told['totalNs'])
