"""Training of low-rank parts until new attention gives what the model's own gave."""
import contextlib
import math

from .. import safetensors_file
from ..torch_import import torch
from . import adapters, interface
from .adapters import optimizer_prefix
from .cost import Cost
from .masks import Compact
from .outputs import named_outputs
from .ranks import end_with_attnswap, held, shape_of, share, whole


def train(opened, question):
    """
    Some steps, a batch of items each, from a state on or from the start; the state after them is written. Of several ranks, each takes its
    items of a batch. Raises ValueError for a loss that is not finite, and for a batch that ranks cannot share evenly.
    """
    end_with_attnswap()
    batch, group = question.get('batch') or 1, opened.group
    for count in {min(batch, len(question['items'])), len(question['items']) % batch}:
        # All ranks see it: none waits for the others in vain.
        if count % group.ranks != 0:
            raise ValueError(f'{group.ranks} ranks cannot share a batch of {count} evenly: expected a multiple of {group.ranks}')
    training = Training(opened, question)
    losses = []
    try:
        with Cost(opened) as cost:
            for first in range(0, len(question['items']), batch):
                own = question['items'][first + group.rank : first + batch : group.ranks]
                losses.append(training.step([opened.whole(path) for path in own], question['objective']))
        told = cost.told(training)
        if question['output'] is not None:
            training.save(question['output'])
    finally:
        training.end()
    return {'losses': losses, 'parameters': sum(math.prod(shape_of(weight)) for weight in training.weights.values()), 'cost': told}


class Training:
    def __init__(self, opened, question):
        self.opened, self.model, self.group = opened, opened.model, opened.group
        adapters.put(self.model, {})
        interface.place(self.model, question['sites'])
        modules = dict(self.model.named_modules())
        self.sites = {modules[path]: modules[path].__dict__['attnswap_placed'] for path in question['sites']}
        self.own = False
        self.trainable = [weight for weight in self.model.parameters() if weight.requires_grad]
        self.linears = adapters.linears(self.model, question['sites'])
        if any(module.weight.dtype == torch.float16 for module in self.linears.values()):
            raise ValueError('the weights are float16, in which small gradients are lost: save the model in bfloat16 or float32')
        state = None if question['state'] is None else safetensors_file.read(question['state'])
        self.weights = self.parts(self.first(question) if state is None else state, question['items'][0])
        self.optimizer = self.group.optimizer(self.weights, question['optimizer'])
        if state is not None:
            self.restore({name[len(optimizer_prefix) :]: values for name, values in state.items() if name.startswith(optimizer_prefix)})
        # Before hooks of the ranks', which let go of what a module has.
        self.hooks = [module.register_forward_hook(self.add_part, prepend=True) for module in self.linears.values()]

    def first(self, question):
        """b is zero, so that training starts at the model as it is."""
        generator = torch.Generator().manual_seed(question['seed'])
        weights = {}
        for path, module in self.linears.items():
            outputs, inputs = adapters.sizes(module)
            weights[f'{path}.a'] = torch.randn(question['rank'], inputs, generator=generator) / inputs**0.5
            weights[f'{path}.b'] = torch.zeros(outputs, question['rank'])
        return weights

    def parts(self, values, item):
        """The parts, with values by name; all else is frozen. Ranks shard the model the first time, and train the same modules from then on."""
        adapters.add_parts(self.linears, values)
        self.model.requires_grad_(False)
        for weight in adapters.parts_of(self.linears).values():
            weight.requires_grad_()
        self.group.shard(self.model, self.sites, lambda: self.teach(self.beside_weights(item)))
        weights = adapters.parts_of(self.linears)
        with torch.no_grad():
            for name, weight in weights.items():
                held(weight).copy_(held(share(values[name], weight)))
        return weights

    def beside_weights(self, item):
        """An item where the weights are: those of a rank may not be on its device yet."""
        device = next(self.model.parameters()).device
        return {name: values.to(device) for name, values in self.opened.whole(item).items()}

    def restore(self, state):
        self.optimizer.restore({name: share(values, self.weights[name.partition('/')[2]]) if '/' in name else values for name, values in state.items()})

    def add_part(self, module, inputs, output):
        """What a linear map gives, its part added."""
        if self.own:
            return output
        a, b = module.attnswap_a, module.attnswap_b
        return output + (inputs[0].to(a.dtype) @ a.T @ b.T).to(output.dtype)

    def step(self, batch, objective):
        """A step on the items of a batch that are this process's. The mean loss of the whole batch."""
        lose = self.transfer if objective == 'transfer' else self.labels
        self.optimizer.clear()
        total = 0
        for place, feeds in enumerate(batch, 1):
            total = total + self.group.backward(lambda: lose(feeds) / len(batch), last=place == len(batch))
        value = self.group.mean(total)
        if value != value or value in (float('inf'), float('-inf')):
            raise ValueError(f'the loss of {objective} is {value}: a lower learning rate may help')
        self.optimizer.descend()
        return value

    def transfer(self, feeds):
        """How far new attention is from the model's own, on what the model's own attention reads: mean over modules of the relative squared error."""
        begun, calls = [], []

        def before(module, inputs, named):
            begun.append(copied((inputs, named)))

        def after(module, inputs, named, output):
            calls.append((module, *begun.pop(), copied(first_of(output))))

        hooks = [module.register_forward_pre_hook(before, with_kwargs=True) for module in self.sites]
        hooks += [module.register_forward_hook(after, with_kwargs=True) for module in self.sites]
        try:
            self.teach(feeds)
        finally:
            for hook in hooks:
                hook.remove()
        if not calls:
            raise ValueError('the model does not call its attention as modules, so they cannot be trained one by one: steps=0 trains on its outputs alone')
        # Of the tokens of two sequences, the mask does not tell which are meant.
        keep = None if 'decoder_input_ids' in feeds else feeds.get('attention_mask')
        return sum(relative(first_of(module(*inputs, **named)), wanted, keep) for module, inputs, named, wanted in calls) / len(calls)

    def labels(self, feeds):
        """How far the model's outputs are from those that its own attention leads to: divergence of logits, else `apart`."""
        wanted = self.teach(feeds)
        given = named_outputs(self.call(feeds))
        compared = [name for name, tensor in given.items() if tensor.is_floating_point() and tensor.requires_grad]
        if not compared:
            raise ValueError('no output of the model has a gradient: is its forward pass run without gradients? labels=0 trains layer by layer alone')
        # Of an encoder and a decoder, the mask is the encoder's.
        keep = {name: feeds.get('attention_mask') for name in compared if 'decoder_input_ids' not in feeds or name.startswith('encoder')}
        losses = [(divergence if name == 'logits' else apart)(given[name], wanted[name], keep.get(name)) for name in compared]
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
        """Everything that a training goes on from; one rank writes what all of them hold."""
        state = {optimizer_prefix + name: values for name, values in self.optimizer.state().items()}
        tensors = {name: whole(values) for name, values in {**self.weights, **state}.items()}
        if self.group.rank == 0:
            safetensors_file.write(path, tensors)

    def end(self):
        """Leaves the model as it was opened; one that is shared with other ranks keeps its parts, as it is only trained."""
        for hook in self.hooks:
            hook.remove()
        interface.place(self.model, {})
        if self.group.ranks == 1:
            adapters.remove_parts(self.linears)
            for weight in self.trainable:
                weight.requires_grad_()


def copied(given):
    """Tensors, in whatever holds them, as they are now: a model may go on in them. A mask that is not written out is not."""
    from torch.utils._pytree import tree_map

    return tree_map(lambda part: part.clone() if isinstance(part, torch.Tensor) and not isinstance(part, Compact) else part, given)


def first_of(output):
    return output[0] if isinstance(output, (tuple, list)) else output


def kept(keep, states):
    """1 for each token of states [batch, tokens, …] that `keep` keeps, 0 for padding; None where they are states of no such tokens."""
    return None if keep is None or states.dim() != 3 or keep.shape != states.shape[:2] else keep.to(states.dtype)


def relative(given, wanted, keep=None):
    """The squared error over the squares of what was wanted; of states of tokens, padding left out."""
    given, wanted = given.float(), wanted.float()
    weight = kept(keep, given)
    squares = [parts**2 if weight is None else parts**2 * weight[..., None] for parts in (given - wanted, wanted)]
    return squares[0].sum() / squares[1].sum().clamp_min(1e-12)


def apart(given, wanted, keep):
    """
    The relative squared error; of states of tokens, [batch, tokens, width], that of their mean over the tokens that `keep` keeps, and a tenth of
    their own: errors of tokens that point one way are small in each token, and large in the mean, which is what embedders and classifiers read.
    """
    given, wanted = given.float(), wanted.float()
    if given.dim() != 3:
        return relative(given, wanted)
    weight = kept(keep, given)
    weight = given.new_ones(given.shape[:2]) if weight is None else weight
    mean = [(states * weight[..., None]).sum(1) / weight.sum(1, keepdim=True).clamp_min(1) for states in (given, wanted)]
    return relative(*mean) + 0.1 * relative(given, wanted, keep)


def divergence(given, wanted, keep):
    """Mean Kullback–Leibler divergence of the softmax over the last axis, nats; of tokens, without padding."""
    given, wanted = given.float().log_softmax(-1), wanted.float().log_softmax(-1)
    weight = kept(keep, given)
    found = (wanted.exp() * (wanted - given)).sum(-1)
    return found.mean() if weight is None else (found * weight).sum() / weight.sum().clamp_min(1)
