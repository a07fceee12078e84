"""ONNX Runtime with one execution provider: built in, or a plug-in from a package of its own."""
import importlib
import json
import os
import tempfile

import onnxruntime as ort

from . import ort_profile
from .catalogue import providers, select
from .words import Unsupported, first_words, threads_of

version = f'ONNX Runtime {ort.__version__}'
cpu = 'CPUExecutionProvider'
# OpenVINO would otherwise compute f32 models in bf16 where the processor has it.
provider_options = {'OpenVINOExecutionProvider': {'load_config': json.dumps({'CPU': {'INFERENCE_PRECISION_HINT': 'f32'}, 'GPU': {'INFERENCE_PRECISION_HINT': 'f32'}})}}


def backends():
    """The backends as `hello` tells them."""
    return [describe(backend, *of) for backend, of in providers.items()]


def describe(backend, provider, package):
    """One backend: what its provider is, or what is missing."""
    try:
        devices = devices_of(provider, package)
    except Unsupported as reason:
        mend = f'pip install {package}, {select}' if package else f'install a build of onnxruntime with {provider}, {select}'
        return {'name': backend, 'available': False, 'reason': str(reason), 'mend': mend}
    found = ', '.join(sorted({str(device.device.type).split('.')[-1] for device in devices})) or provider.replace('ExecutionProvider', '')
    return {
        'name': backend,
        'available': True,
        'version': version_of(package) if devices else version,
        'device': found,
        'threads': default_threads() if provider == cpu else None,
        'dtypes': ['f32'],
        'details': {'provider': provider},
    }


def default_threads():
    """The threads that the CPU provider takes unless a question says otherwise; None where the system does not tell."""
    return threads_of({}) or (len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else None)


def version_of(package):
    """ONNX Runtime's version and the plug-in's."""
    from importlib.metadata import version as installed

    return f'{version}, {package} {installed(package)}'


def devices_of(provider, package):
    """What a plug-in registers; nothing where the provider is built in. Raises Unsupported where it is neither."""
    devices = registered(provider) if package else []
    # Once a plug-in is registered its provider counts as available, but a session takes it by its devices alone.
    if devices or provider in ort.get_available_providers():
        return devices
    if package is None:
        raise Unsupported(f'{version} has no {provider}, only {", ".join(ort.get_available_providers())}')
    try:
        plugin = importlib.import_module(package.replace('-', '_'))
        ort.register_execution_provider_library(package, plugin.get_library_path())
    except ImportError as error:
        raise Unsupported(f'{version} has no {provider}, and its plug-in is not installed: {error}') from error
    except Exception as error:  # Whatever the plug-in says where its driver is missing.
        raise Unsupported(f'{version} cannot register {package}: {first_words(error)}') from error
    devices = registered(provider)
    if not devices:
        raise Unsupported(f'{package} finds no device')
    return devices


def registered(provider):
    """Devices that plug-ins have registered for a provider."""
    return [device for device in ort.get_ep_devices() if device.ep_name == provider]


def prepare(question, feeds):
    """The call of a kernel. Raises Unsupported."""
    return Model(question['graph'], question).bind(feeds)


def open_model(question):
    """A whole model. Raises Unsupported."""
    return Model(question['model'], question)


class Model:
    """A session on one provider."""

    def __init__(self, path, question):
        self.path, self.question = path, question
        self.provider, package = providers[question['backend']]
        self.devices = devices_of(self.provider, package)
        self.session = self.open(self.options())

    def options(self):
        """Nothing is pooled where memory is read."""
        options = ort.SessionOptions()
        options.log_severity_level = 4
        threads = threads_of(self.question)
        if threads is not None:
            options.intra_op_num_threads = threads
        if self.question.get('purpose') == 'memory':
            options.enable_cpu_mem_arena = options.enable_mem_pattern = False
        if self.devices:
            options.add_provider_for_devices(self.devices[:1], provider_options.get(self.provider, {}))
        return options

    def open(self, options):
        """A session. Raises Unsupported where the provider takes no part in it."""
        wanted = {} if self.devices else {'providers': list(dict.fromkeys([self.provider, cpu]))}
        try:
            session = ort.InferenceSession(self.path, options, **wanted)
        except Exception as error:  # Its classes differ by what is wrong.
            raise Unsupported(f'{version} does not take the ONNX model on {self.provider}: {first_words(error)}') from error
        if self.provider not in session.get_providers():
            raise Unsupported(f'{version} left {self.provider} out of the session, and took {", ".join(session.get_providers())}')
        session.disable_fallback()
        return session

    def bind(self, feeds):
        """A call on some inputs."""
        return Call(self, feeds)


class Call:
    """A session with its inputs in place."""

    def __init__(self, model, feeds):
        self.model, self.feeds = model, feeds
        self.binding = self.bound(model.session)

    def bound(self, session):
        """The binding of the inputs to a session."""
        binding = session.io_binding()
        for given in session.get_inputs():
            binding.bind_ortvalue_input(given.name, ort.OrtValue.ortvalue_from_numpy(self.feeds[given.name]))
        bind_outputs(binding, session)
        return binding

    def run(self):
        """One call; its results stay in the binding."""
        self.model.session.run_with_iobinding(self.binding)

    def outputs(self):
        """The last call's results by name."""
        names = [output.name for output in self.model.session.get_outputs()]
        return dict(zip(names, self.binding.copy_outputs_to_cpu()))

    def release(self):
        """Gives back the last call's results."""
        self.binding.clear_binding_outputs()
        bind_outputs(self.binding, self.model.session)

    def dispatch(self):
        """The operators of one call by ONNX Runtime's own profile, in a second session."""
        with tempfile.TemporaryDirectory() as folder:
            options = self.model.options()
            options.enable_profiling = True
            options.profile_file_prefix = os.path.join(folder, 'call')
            session = self.model.open(options)
            binding = self.bound(session)
            for _ in range(3):
                session.run_with_iobinding(binding)
            with open(session.end_profiling(), encoding='utf-8') as file:
                operators = ort_profile.operators(json.load(file))
        return {'operators': operators, 'flags': ort_profile.flags(operators, self.model.provider)}


def bind_outputs(binding, session):
    """Lets a session allocate its outputs."""
    for output in session.get_outputs():
        binding.bind_output(output.name)
