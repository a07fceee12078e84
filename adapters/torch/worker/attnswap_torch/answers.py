"""What each question of the protocol is answered with."""
from .catalogue import kernels, told
from .models.answers import ModelAnswers
from .torch_import import problem, torch
from .training.answers import TrainingAnswers

protocol = 'attnswap.worker/1'
mend = (
    'pip install torch (or, on Debian, apt-get install python3-torch libopenblas0-pthread), '
    'and set --python or ATTNSWAP_PYTHON to that Python'
)


class Answers(TrainingAnswers, ModelAnswers):
    """The worker's state: at most one prepared kernel or model call, dropped by the next `prepare`, `model-open` or `model-run`."""

    def __init__(self):
        self.prepared = None
        self.counter = None

    def on_hello(self, _):
        return {'protocol': protocol, 'name': 'torch', 'version': '1.0', 'backends': backends(), 'kernels': kernels if problem is not None else told(torch, ('torch-cpu', 'torch-cuda'))}

    def on_prepare(self, question):
        from .prepare import prepare
        from .unsupported import Unsupported

        self.prepared = None
        if problem is not None:
            return {'unsupported': problem}
        try:
            self.prepared, digest = prepare(question)
        except Unsupported as reason:
            return {'unsupported': str(reason)[:2000]}
        return {'inputs': digest}

    def on_check(self, question):
        self.ready().check(question['output'])
        return {}

    def on_sample(self, question):
        from .timing import sample

        return {'elapsedNs': sample(self.ready(), int(question['calls']), question.get('purpose'))}

    def on_memory(self, _):
        from .memory import peak

        return peak(self.ready())

    def on_dispatch(self, _):
        from .profile import dispatch

        return dispatch(self.ready())

    def on_energy(self, _):
        from .cuda import energy_counter

        try:
            if self.counter is None:
                self.counter = energy_counter()
            return {'joules': self.counter.joules()}
        except OSError as error:
            return {'unavailable': str(error)[:2000]}

    def ready(self):
        """The prepared kernel."""
        if self.prepared is None:
            raise RuntimeError('nothing is prepared')
        return self.prepared


def backends():
    """Both backends, each available or with the reason why not."""
    if problem is not None:
        return [{'name': name, 'available': False, 'reason': problem, 'mend': mend} for name in ('torch-cpu', 'torch-cuda')]
    from .cpu import describe_cpu
    from .cuda import describe_cuda

    return [describe_cpu(), describe_cuda()]
