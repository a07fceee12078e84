"""One training: the model, its teacher, its optimizer."""
import math
import time
from collections import namedtuple

from .. import safetensors_file
from ..torch_import import torch
from . import loss as losses
from .model import Model
from .optimizer import Optimizer

# A checkpoint holds weights and the optimizer's state; this begins the names of the latter.
optimizer_prefix = 'optimizer/'


class Items(namedtuple('Items', 'tokens targets source')):
    """int64 [items, length], and source [items, source length] or None."""

    def of(self, index):
        """Some of them: a slice, or numbers."""
        return Items(*(None if values is None else values[index] for values in self))

    @property
    def asked(self):
        """Which positions an answer is wanted of, bool [items, length]."""
        return self.targets >= 0


class Session:
    def __init__(self, question, device):
        self.device = device
        self.model = Model(question['testbed'], self.read_weights(question['weights'], True))
        self.model.use(question['attention'])
        self.optimizer = Optimizer(self.model.parameters, question['optimizer'])
        self.data = {}
        self.teacher = self.technique = None
        if question.get('teacher') is not None:
            self.technique = question['teacher']
            # Its exits were trained for less: its last layer, with nobody gone, knows best.
            self.teacher = Model({**self.technique['testbed'], 'exits': None}, self.read_weights(self.technique['weights'], False))
            self.teacher.use(self.technique['attention'])

    def read_weights(self, path, trained):
        tensors = {name: values for name, values in safetensors_file.read(path).items() if not name.startswith(optimizer_prefix)}
        return {name: values.to(self.device).requires_grad_(trained) for name, values in tensors.items()}

    def items(self, path):
        """Those of a data file; files are kept, as every epoch reads the same."""
        if path not in self.data:
            given = safetensors_file.read(path)
            self.data[path] = Items(*(given[name].long().to(self.device) if name in given else None for name in Items._fields))
        return self.data[path]

    def epoch(self, question):
        """One pass over the given batches: losses, gradient norms, nanoseconds."""
        self.model.use(question['attention'])
        items = self.items(question['data'])
        order = safetensors_file.read(question['order'])['order'].long().to(self.device)
        start = time.perf_counter_ns()
        steps = []
        for batch in order:
            loss, norm = self.step(items.of(batch))
            if not math.isfinite(loss) or not math.isfinite(norm):
                break
            steps.append((loss, norm))
        return {
            'losses': [loss for loss, _ in steps],
            'gradientNorms': [norm for _, norm in steps],
            'diverged': len(steps) < len(order),
            'elapsedNs': time.perf_counter_ns() - start,
        }

    def step(self, items):
        loss = self.loss(items)
        norm = self.optimizer.step(loss)
        return float(loss.detach()), norm

    def loss(self, items):
        """
        Cross-entropy, what answers are expected to cost where exits have heads, and what the teacher adds: its soft labels, its heads. What logits
        lose is the mean over the exits and the last layer.
        """
        own = Recorder(self.model)
        every = self.model.outputs(items, own.taps)
        loss = losses.mean(losses.cross_entropy(logits, items.targets) for logits, _ in every)
        cost = self.expected_cost(every, items.targets)
        if self.teacher is None:
            return loss + cost
        given = Recorder(self.teacher)
        with torch.no_grad():
            teacher = self.teacher.outputs(items, given.taps)[-1].logits
        weight = self.technique['weight']
        loss = (1 - weight) * loss + cost
        if weight > 0:
            loss = loss + weight * losses.mean(losses.distillation(logits, teacher, items.targets, self.technique['temperature']) for logits, _ in every)
        if self.technique.get('headWeights') is not None:
            heads = torch.tensor(self.technique['headWeights'], device=self.device)
            loss = loss + self.technique['headLoss'] * losses.head_difference(own.outputs, given.outputs, heads)
        return loss

    def expected_cost(self, outputs, targets):
        """Nats; 0 where no heads decide who leaves."""
        layer_cost = self.model.testbed.get('layerCost')
        if layer_cost is None or not self.model.exits:
            return 0
        return losses.expected_cost(outputs, [depth for depth, _ in self.model.exits] + [self.model.depth], targets, layer_cost)

    def evaluate(self, question):
        """
        Per item, into a file, means over scored positions: correct, whether the answer is right; bits, −log₂ p of the right class; and where the
        model has exits layers, the number of them up to the answer.
        """
        correct, bits, depths = [], [], []
        with torch.no_grad():
            for items in self.batches(question):
                wanted = items.targets
                logits, layers = self.model.answers(items)
                scored = (wanted >= 0).float()
                mean = lambda values: (values * scored).sum(-1) / scored.sum(-1)
                correct.append(mean((logits.argmax(-1) == wanted).float()))
                bits.append(-mean(torch.log_softmax(logits, -1).gather(-1, wanted.clamp(min=0)[..., None])[..., 0]) / math.log(2))
                depths.append(mean(layers.float()))
        scores = {'correct': correct, 'bits': bits, **({'layers': depths} if self.model.exits else {})}
        safetensors_file.write(question['output'], {name: torch.cat(batches) for name, batches in scores.items()})

    def batches(self, question):
        """The items of a data file in turn."""
        items = self.items(question['data'])
        return [items.of(slice(start, start + question['batch'])) for start in range(0, len(items.tokens), question['batch'])]

    def translate(self, question):
        """
        Greedy decoding, classes [items, length] into a file: position by position the class of the largest logit, which the next position reads
        instead of what the data file has there. What stands at later positions is of no consequence, but their number is: windows are aligned by it.
        """
        first_class, answered = self.model.testbed['vocabulary'] - self.model.testbed['classes'], []
        with torch.no_grad():
            for items in self.batches(question):
                tokens, memory = items.tokens.clone(), self.model.encode(items.source)
                classes = torch.zeros_like(tokens)
                for position in range(tokens.shape[1]):
                    classes[:, position] = self.model.decode(items._replace(tokens=tokens), memory)[-1].logits[:, position].argmax(-1)
                    tokens[:, position + 1 : position + 2] = first_class + classes[:, position : position + 1][:, : tokens.shape[1] - position - 1]
                answered.append(classes)
        safetensors_file.write(question['output'], {'classes': torch.cat(answered).float()})

    def importance(self, question):
        """Of each site's heads: mean |Σ o·∂loss/∂o|, the loss's first-order sensitivity to their outputs (Michel et al. 2019, section 4.1)."""
        total = [0] * len(self.model.sites)
        batches = self.batches(question)
        for items in batches:
            heads = Recorder(self.model)
            loss = losses.mean(losses.cross_entropy(logits, items.targets) for logits, _ in self.model.outputs(items, heads.taps))
            for site, (output, slope) in enumerate(zip(heads.outputs, torch.autograd.grad(loss, heads.outputs))):
                total[site] = total[site] + (output * slope).sum((2, 3)).abs().mean(0).detach()
        return [(values / len(batches)).tolist() for values in total]

    def gradients(self, question):
        """The loss of all items at once and its gradient with respect to every weight, into a file."""
        loss = self.loss(self.items(question['data']))
        weights = self.model.parameters
        slopes = torch.autograd.grad(loss, list(weights.values()), allow_unused=True)
        safetensors_file.write(question['output'], {name: torch.zeros_like(w) if slope is None else slope for (name, w), slope in zip(weights.items(), slopes)})
        return float(loss.detach())

    def logits(self, question):
        """The answers' [items, length, classes], into a file."""
        with torch.no_grad():
            safetensors_file.write(question['output'], {'logits': self.model.answers(self.items(question['data']))[0]})

    def save(self, path, with_optimizer):
        """Weights, and the optimizer's state where it is wanted."""
        state = {optimizer_prefix + name: values for name, values in self.optimizer.state().items()} if with_optimizer else {}
        safetensors_file.write(path, {**self.model.parameters, **state})

    def load(self, path):
        """Goes on from what `save` wrote; weights alone leave the optimizer as it is."""
        tensors = safetensors_file.read(path)
        with torch.no_grad():
            for name, weight in self.model.parameters.items():
                weight.copy_(tensors[name].to(self.device))
        state = {name[len(optimizer_prefix) :]: values for name, values in tensors.items() if name.startswith(optimizer_prefix)}
        if state:
            self.optimizer.restore(state)


class Recorder:
    """Keeps the heads' outputs of each site, [batch, heads, length, d]."""

    def __init__(self, model):
        self.outputs = []
        self.sites = len(model.sites)

    @property
    def taps(self):
        """One a site. Not kept: a reference to itself would hold every step's outputs until Python looks for cycles."""
        return [self.keep] * self.sites

    def keep(self, output):
        self.outputs.append(output)
        return output
