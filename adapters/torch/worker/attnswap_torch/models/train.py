"""Training of low-rank parts until new attention gives what the model's own gave."""
import contextlib

from .. import safetensors_file
from ..torch_import import torch
from ..training.optimizer import Optimizer
from . import adapters, interface
from .adapters import optimizer_prefix
from .answers import named_outputs


def train(opened, question):
    """Some steps, an item each, from a state on or from the start; the state after them is written. Raises ValueError for a loss that is not finite."""
    training = Training(opened, question)
    try:
        losses = [training.step(opened.whole(path), question['objective']) for path in question['items']]
        training.save(question['output'])
    finally:
        training.end()
    return {'losses': losses, 'parameters': sum(weight.numel() for weight in training.weights.values())}


class Training:
    def __init__(self, opened, question):
        self.opened, self.model = opened, opened.model
        self.model.requires_grad_(False)
        adapters.put(self.model, {})
        interface.place(self.model, question['sites'])
        modules = dict(self.model.named_modules())
        self.sites = {modules[path]: modules[path].__dict__['attnswap_placed'] for path in question['sites']}
        self.own = False
        self.linears = adapters.linears(self.model, question['sites'])
        self.weights = self.first(question)
        state = None if question['state'] is None else safetensors_file.read(question['state'])
        if state is not None:
            self.weights = {name: state[name].to(self.opened.device).requires_grad_() for name in self.weights}
        self.optimizer = Optimizer(self.weights, question['optimizer'])
        if state is not None:
            self.optimizer.restore({name[len(optimizer_prefix) :]: values for name, values in state.items() if name.startswith(optimizer_prefix)})
        self.hooks = [module.register_forward_hook(self.part_of(path)) for path, module in self.linears.items()]

    def first(self, question):
        """b is zero, so that training starts at the model as it is."""
        generator = torch.Generator().manual_seed(question['seed'])
        weights = {}
        for path, module in self.linears.items():
            outputs, inputs = adapters.sizes(module)
            weights[f'{path}.a'] = torch.randn(question['rank'], inputs, generator=generator) / inputs**0.5
            weights[f'{path}.b'] = torch.zeros(outputs, question['rank'])
        return {name: weight.to(self.opened.device).requires_grad_() for name, weight in weights.items()}

    def part_of(self, path):
        """What adds a linear map's part to what it gives."""

        def add(_, inputs, output):
            if self.own:
                return output
            a, b = self.weights[f'{path}.a'], self.weights[f'{path}.b']
            return output + (inputs[0] @ a.T @ b.T).to(output.dtype)

        return add

    def step(self, feeds, objective):
        loss = self.transfer(feeds) if objective == 'transfer' else self.labels(feeds)
        value = float(loss.detach())
        if value != value or value in (float('inf'), float('-inf')):
            raise ValueError(f'the loss of {objective} is {value}: a lower learning rate may help')
        self.optimizer.step(loss)
        return value

    def transfer(self, feeds):
        """How far new attention is from the model's own, on what the model's own attention reads: mean over modules of the relative squared error."""
        calls = []

        def keep(module, inputs, named, output):
            calls.append((module, inputs, named, first_of(output)))

        hooks = [module.register_forward_hook(keep, with_kwargs=True) for module in self.sites]
        try:
            self.teach(feeds)
        finally:
            for hook in hooks:
                hook.remove()
        return sum(relative(first_of(module(*inputs, **named)), wanted) for module, inputs, named, wanted in calls) / len(calls)

    def labels(self, feeds):
        """How far the model's outputs are from those that its own attention leads to: divergence of logits, else `apart`."""
        wanted = self.teach(feeds)
        given = named_outputs(self.call(feeds))
        compared = [name for name, tensor in given.items() if tensor.is_floating_point() and tensor.requires_grad]
        keep = feeds.get('attention_mask')
        losses = [divergence(given[name], wanted[name]) if name == 'logits' else apart(given[name], wanted[name], keep) for name in compared]
        return sum(losses) / len(losses)

    def call(self, feeds):
        return self.model(**feeds, **self.opened.options)

    def teach(self, feeds):
        """The outputs of the model as it was opened."""
        with self.as_opened(), torch.no_grad():
            return named_outputs(self.call(feeds))

    @contextlib.contextmanager
    def as_opened(self):
        self.own = True
        for module in self.sites:
            module.__dict__['attnswap_placed'] = None
        try:
            yield
        finally:
            self.own = False
            for module, placed in self.sites.items():
                module.__dict__['attnswap_placed'] = placed

    def save(self, path):
        state = {optimizer_prefix + name: values for name, values in self.optimizer.state().items()}
        safetensors_file.write(path, {**{name: weight.detach() for name, weight in self.weights.items()}, **state})

    def end(self):
        """Leaves the model as it was opened."""
        for hook in self.hooks:
            hook.remove()
        interface.place(self.model, {})


def first_of(output):
    return output[0] if isinstance(output, (tuple, list)) else output


def relative(given, wanted):
    """The squared error over the squares of what was wanted."""
    return ((given - wanted) ** 2).sum() / (wanted**2).sum().clamp_min(1e-12)


def apart(given, wanted, keep):
    """
    The relative squared error; of states of tokens, [batch, tokens, width], that of their mean over the tokens that `keep` keeps, and a tenth of
    their own: errors of tokens that point one way are small in each token, and large in the mean, which is what embedders and classifiers read.
    """
    if given.dim() != 3:
        return relative(given, wanted)
    weight = given.new_ones(given.shape[:2]) if keep is None or keep.shape != given.shape[:2] else keep.to(given.dtype)
    mean = [(states * weight[..., None]).sum(1) / weight.sum(1, keepdim=True).clamp_min(1) for states in (given, wanted)]
    return relative(*mean) + 0.1 * relative(given * weight[..., None], wanted * weight[..., None])


def divergence(given, wanted):
    """Mean Kullback–Leibler divergence of the softmax over the last axis, nats."""
    given, wanted = given.log_softmax(-1), wanted.log_softmax(-1)
    return (wanted.exp() * (wanted - given)).sum(-1).mean()
