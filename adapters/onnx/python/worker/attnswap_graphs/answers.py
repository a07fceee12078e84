"""What each question of the protocol is answered with."""
import gc
import hashlib
import importlib
import sys
import time

from .words import Unsupported


class Answers:
    """
    The worker's state: one runtime, and at most one prepared call, which the next `prepare` drops. A runtime is a module with `backends(module)`
    and `prepare(question, feeds)`; a call has `run()`, `output()`, `release()` and `dispatch()`.
    """

    def __init__(self, package):
        self.package = package
        self.call = self.problem = None
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

        self.call = None
        gc.collect()
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
        tensors.write(question['output'], self.call.output())
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

    def ready(self):
        """The prepared call."""
        if self.call is None:
            raise RuntimeError('nothing is prepared')
        return self.call
