"""AdamW with warm-up and cosine decay."""
import math

from ..torch_import import torch

moments = ('exp_avg', 'exp_avg_sq')


class Optimizer:
    """Steps count over the whole training, so that a training that goes on does what an uninterrupted one does."""

    def __init__(self, weights, options):
        self.weights, self.options = weights, options
        # Norms and biases, the vectors, do not decay.
        groups = [{'params': [w for w in weights.values() if (w.dim() > 1) == matrix], 'weight_decay': options['weightDecay'] * matrix} for matrix in (True, False)]
        self.adam = torch.optim.AdamW(groups, lr=options['learningRate'], betas=(0.9, 0.98), eps=1e-8)
        self.step_number = 0

    def learning_rate(self):
        """Linear to the peak over the warm-up, then half a cosine to a tenth of it."""
        peak, warm_up, steps = (self.options[name] for name in ('learningRate', 'warmUpSteps', 'steps'))
        if self.step_number < warm_up:
            return peak * (self.step_number + 1) / warm_up
        share = min(1.0, (self.step_number - warm_up) / max(1, steps - warm_up))
        return peak * (0.1 + 0.45 * (1 + math.cos(math.pi * share)))

    def step(self, loss):
        """One step down the loss; the gradient's norm before clipping."""
        self.clear()
        loss.backward()
        return self.descend()

    def clear(self):
        """Drops the gradients."""
        self.adam.zero_grad(set_to_none=True)

    def descend(self):
        """One step down the gradients that there are; their norm before clipping."""
        norm = torch.nn.utils.clip_grad_norm_(list(self.weights.values()), self.options['clip'])
        for group in self.adam.param_groups:
            group['lr'] = self.learning_rate()
        self.adam.step()
        self.step_number += 1
        return float(norm)

    def state(self):
        """Everything but the weights: tensors by name."""
        tensors = {'step': torch.tensor([float(self.step_number)])}
        for name, weight in self.weights.items():
            for moment in moments:
                values = self.moment(weight, moment)
                if values is not None:
                    tensors[f'{moment}/{name}'] = values
        return tensors

    def moment(self, weight, moment):
        """A moment of a weight; None before the first step."""
        return self.adam.state.get(weight, {}).get(moment)

    def held(self):
        """The tensors that it keeps."""
        return [value for state in self.adam.state.values() for value in state.values() if isinstance(value, torch.Tensor)]

    def gradients(self):
        """Those of the last step."""
        return [weight.grad for weight in self.weights.values() if weight.grad is not None]

    def restore(self, tensors):
        """Goes on from what `state` gave."""
        self.step_number = int(tensors['step'][0])
        for name, weight in self.weights.items():
            if f'exp_avg/{name}' not in tensors:
                continue
            # Old releases count steps in a number, newer ones in a tensor.
            kind = torch.optim.AdamW([torch.zeros(1, requires_grad=True)])
            probe = kind.param_groups[0]['params'][0]
            probe.grad = torch.zeros(1)
            kind.step()
            step = kind.state[probe]['step']
            count = torch.tensor(float(self.step_number)) if isinstance(step, torch.Tensor) else self.step_number
            self.adam.state[weight] = {'step': count, **{moment: tensors[f'{moment}/{name}'].to(weight.device, weight.dtype) for moment in moments}}
