"""What the questions about whole models are answered with."""
import os

from ..torch_import import problem, torch
from ..unsupported import Unsupported
from .outputs import named_outputs
from .plain import multiheads, without_fast_paths


class Bound:
    """A model with its inputs in place: what `sample`, `memory` and `check` call."""

    def __init__(self, opened, feeds, backward=False):
        self.opened, self.device = opened, opened.device
        self.feeds, self.past = (feeds, None) if opened.cache is None or backward else opened.cache.split(feeds)
        self.call = self.forward_backward if backward else self.forward
        self.parameters = [weight for weight in opened.model.parameters() if weight.requires_grad] if backward else None

    def forward(self):
        """One call: what the model returns. Results are not kept between calls."""
        cached = {} if self.past is None else self.opened.cache.argument(self.past)
        with torch.inference_mode():
            return self.opened.model(**self.feeds, **{**self.opened.options, **cached})

    def forward_backward(self):
        """One call forward and backward: the gradients of the mean square of the outputs with respect to all parameters that train."""
        outputs = named_outputs(self.opened.model(**self.feeds, **self.opened.options)).values()
        squares = [output.float().square().mean() for output in outputs if output.requires_grad]
        if not squares:
            raise Unsupported(f'no output of {type(self.opened.model).__name__} has a gradient: is its forward pass run without gradients?')
        return torch.autograd.grad(sum(squares), self.parameters, allow_unused=True)

    def outputs(self):
        """One call, its tensors by name, with what it hands on as the cache; of one with gradients, their norms."""
        returned = self.call()
        if self.parameters is not None:
            return {'gradients': torch.stack([gradient.norm().float() for gradient in returned if gradient is not None])}
        return {**named_outputs(returned), **({} if self.past is None else self.opened.cache.outputs(returned))}

    def check(self, path):
        """One call, its tensors in a file."""
        from .. import safetensors_file

        safetensors_file.write(path, self.outputs(), typed=True)


class Opened:
    """A model on its device, all its attention led through the interface."""

    def __init__(self, question):
        import inspect

        from .. import device as devices
        from . import cache
        from .interface import install
        from .open import open_model
        from .ranks import group_of

        group = question.get('group')
        self.device = devices.of_backend(question['backend'], 0 if group is None else group['rank'])
        devices.settle(question.get('threads'))
        if question.get('purpose') != 'memory':
            devices.settle_allocator()
        self.model, self.inputs, self.longest = open_model(question['model'])
        # Ranks take their shares of it there, not all of it.
        if group is None:
            self.model.to(self.device)
        taken = inspect.signature(self.model.forward).parameters
        # Without a cache, a call is a whole sequence.
        self.options = {name: value for name, value in (('use_cache', False), ('return_dict', True)) if name in taken or takes_any(taken)}
        self.cache, self.undecoded = cache.find(self.model, self.inputs, taken)
        if self.cache is not None:
            self.cache.declare(self.inputs)
        self.original = install(self.model)
        self.group = group_of(group, self.device)

    def feeds(self, path):
        """The inputs in a file, on the device. Raises ValueError for names that the model has not, or lacks."""
        from .. import safetensors_file

        given = safetensors_file.read(path)
        expected = {each.name: each for each in self.inputs}
        required = [name for name, each in expected.items() if not each.optional]
        if not set(required) <= given.keys() <= expected.keys():
            raise ValueError(f'expected the inputs {", ".join(required)}, got {", ".join(given)}')
        return {name: given[name].to(self.device, getattr(torch, expected[name].type)) for name in expected if name in given}

    def whole(self, path):
        """The same of a whole sequence, for a call with `options`. Raises ValueError where some of it lies in a cache."""
        feeds, past = (self.feeds(path), None) if self.cache is None else self.cache.split(self.feeds(path))
        if past:
            raise ValueError('expected a whole sequence, got one that goes on behind a cache')
        return feeds


def alike(one, other):
    """Whether two tensors are the same, bit for bit but for the kind of what is no number."""
    return one.shape == other.shape and bool(((one == other) | ((one != one) & (other != other))).all())


def close(one, other):
    """Whether two tensors are the same but for rounding."""
    if one.shape != other.shape:
        return False
    one, other = one.float(), other.float()
    # Rows that are padding alone may be no numbers.
    largest = float(one.nan_to_num(0, 0, 0).abs().max()) if one.numel() else 0
    return torch.allclose(one, other, rtol=1e-4, atol=1e-5 * largest, equal_nan=True)


def takes_any(parameters):
    """Whether a function takes any keyword."""
    return any(each.kind is each.VAR_KEYWORD for each in parameters.values())


class ModelAnswers:
    """The worker's model: at most one, dropped by the next `model-open`."""

    opened = None

    # Whether something may be left to be done when the process ends.
    runs_users_code = False

    def preload(self, model):
        """Imports what opening a model takes; of a function of the user's, that is not known."""
        if model is None or problem is not None or not os.path.isdir(model):
            return
        from . import cache, interface, ranks  # noqa: F401
        from .open import import_class

        try:
            import_class(model)
        except Exception:
            pass  # Who opens it meets it again, and tells.

    def on_model_open(self, question):
        self.opened = self.prepared = None
        if problem is not None:
            return {'unsupported': problem}
        self.runs_users_code = self.runs_users_code or not os.path.isdir(question['model'])
        try:
            self.opened = Opened(question)
        except Unsupported as reason:
            return {'unsupported': str(reason)[:2000]}
        model = self.opened.model
        return {
            'model': type(model).__name__,
            'attention': self.opened.original,
            'inputs': [each.told() for each in self.opened.inputs],
            'longest': self.opened.longest,
            'undecoded': self.opened.undecoded,
        }

    def on_model_sites(self, question):
        try:
            seen, faithful = self.observed(question['inputs'], None)
        except Unsupported as reason:
            return {'unsupported': str(reason)[:2000]}
        sites = {}
        for call in seen.calls:
            sites.setdefault(call.module, []).append(call.facts())
        elsewhere = [{'where': where, 'what': what} for where, what in seen.elsewhere.items()]
        return {'sites': [{'module': path, 'calls': calls} for path, calls in sites.items()], 'elsewhere': elsewhere, 'faithful': faithful}

    def on_model_capture(self, question):
        from .. import safetensors_file
        from .observe import whole_bias
        from .placed import with_zeros

        tensors, counts, calls = {}, {}, []
        for call in self.observed(question['inputs'], set(question['modules']))[0].calls:
            if call.module not in question['modules']:
                continue
            place = counts.get(call.module, 0)
            counts[call.module] = place + 1
            prefix = f'{len(calls)}.'
            facts = call.facts()
            parts = {'q': call.query, 'k': call.key, 'v': call.value, 'o': call.output}
            tensors.update({prefix + name: with_zeros(part, facts['headDim']) for name, part in parts.items()})
            if call.mask.padding is not None:
                tensors[prefix + 'mask'] = ~call.mask.padding.expand(call.query.shape[0], -1)
            bias = whole_bias(call)
            if bias is not None:
                tensors[prefix + 'bias'] = bias
            calls.append({'module': call.module, **facts, 'causal': bool(call.mask.causal)})
        safetensors_file.write(question['output'], tensors, typed=True)
        return {'calls': calls}

    def observed(self, path, keep):
        """One call on the inputs in a file, seen; and whether it gave what it gives unseen: bit for bit, where it runs the same kernels."""
        from .observe import Observer

        model = self.model().model
        bound = Bound(self.model(), self.model().feeds(path))
        same = close if multiheads(model) else alike
        with without_fast_paths():
            plain = bound.outputs()
        with Observer(model, keep) as seen:
            outputs = bound.outputs()
        return seen, plain.keys() == outputs.keys() and all(same(plain[name], outputs[name]) for name in plain)

    def on_model_run(self, question):
        backward = question.get('pass') == 'forward+backward'
        opened = self.model()
        feeds = opened.whole(question['inputs']) if backward else opened.feeds(question['inputs'])
        self.prepared = Bound(opened, feeds, backward)
        if backward and not self.prepared.parameters:
            return {'unsupported': f'{type(opened.model).__name__} has no parameters that train'}
        try:
            if question.get('output') is None:
                self.prepared.call()
            else:
                self.prepared.check(question['output'])
        except Unsupported as reason:
            return {'unsupported': str(reason)[:2000]}
        return {'pass': 'forward+backward'} if backward else {}

    def on_model_swap(self, question):
        from . import adapters
        from .interface import place

        path = question.get('adapters')
        try:
            place(self.model().model, question['sites'])
            adapters.put(self.model().model, {} if path is None else adapters.read(path))
        except Unsupported as reason:
            return {'unsupported': str(reason)[:2000]}
        return {}

    def on_model_train(self, question):
        from .train import train

        self.prepared = None
        return train(self.model(), question)

    def on_model_proof(self, _):
        from .prove import fingerprint

        return fingerprint(self.model().model)

    def on_model_save(self, question):
        from .save import save

        save(self.model().model, question)
        return {}

    def model(self):
        """The opened model."""
        if self.opened is None:
            raise RuntimeError('no model is open')
        return self.opened
