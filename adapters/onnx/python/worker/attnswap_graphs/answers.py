"""What each question of the protocol is answered with."""
import gc
import hashlib
import importlib
import sys
import time

from .words import Unsupported


class Answers:
    """
    The worker's state: one runtime, and at most one call with its inputs in place, which the next `prepare` or `model-run` drops. A runtime is a
    module with `backends()`, `prepare(question, feeds)` and `open_model(question)`; a model has `bind(feeds)`; a call has `run()`, `outputs()`,
    `release()` and `dispatch()`.
    """

    def __init__(self, package):
        self.package = package
        self.model = self.call = self.problem = None
        try:
            self.runtime = importlib.import_module(f'.with_{package}', __package__)
        except Exception as error:  # A missing library is an OSError.
            self.problem = f'{sys.executable} cannot import {package}: {type(error).__name__}: {" ".join(str(error).split())[:300]}'

    def on_hello(self, _):
        from . import catalogue

        told = {'protocol': 'attnswap.worker/1', 'name': self.package, 'version': '1.0', 'kernels': []}
        if self.problem is None:
            return {**told, 'backends': self.runtime.backends()}
        mend = catalogue.mend[self.package]
        absent = [{'name': name, 'available': False, 'reason': self.problem, 'mend': mend} for name in catalogue.backends[self.package]]
        return {**told, 'backends': absent}

    def on_prepare(self, question):
        from . import tensors

        self.drop()
        if question.get('pass', 'forward') != 'forward':
            return {'unsupported': f'{self.package} only computes forward passes'}
        given = tensors.read(question['inputs'])
        digest = hashlib.sha256(b''.join(given[name].tobytes() for name in 'qkv')).hexdigest()
        try:
            self.call = self.runtime.prepare(question, tensors.feeds(given, question['shape']['dtype']))
        except Unsupported as reason:
            return {'unsupported': str(reason)[:2000]}
        return {'inputs': digest}

    def on_check(self, question):
        from . import tensors

        self.ready().run()
        (output,) = self.call.outputs().values()
        tensors.write(question['output'], {'o': output.astype('<f4')})
        return {}

    def on_model_open(self, question):
        self.drop()
        try:
            self.model = self.runtime.open_model(question)
            self.gives_back = question.get('purpose') == 'memory'
        except Unsupported as reason:
            return {'unsupported': str(reason)[:2000]}
        return {}

    def on_model_run(self, question):
        from . import tensors

        self.call = None
        gc.collect()
        if self.model is None:
            raise RuntimeError('no model is open')
        try:
            self.call = self.model.bind(tensors.read(question['inputs']))
            self.call.run()
            tensors.write(question['output'], self.call.outputs())
            if self.gives_back:
                self.call.release()
        except Unsupported as reason:
            return {'unsupported': str(reason)[:2000]}
        return {}

    def on_sample(self, question):
        run = self.ready().run
        start = time.perf_counter_ns()
        for _ in range(question['calls']):
            run()
        return {'elapsedNs': time.perf_counter_ns() - start}

    def on_memory(self, _):
        """One call; then what it held is given back, so that the next call's peak shows all that a call needs."""
        self.ready().run()
        self.call.release()
        gc.collect()
        return {}

    def on_dispatch(self, _):
        return self.ready().dispatch()

    def drop(self):
        """Lets go of what an earlier question opened."""
        self.model = self.call = None
        gc.collect()

    def ready(self):
        """The call with its inputs in place."""
        if self.call is None:
            raise RuntimeError('nothing is prepared')
        return self.call
