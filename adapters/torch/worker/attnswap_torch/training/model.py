"""The testbed's forward pass. What it computes is told in src/training/testbed.ts."""
from ..torch_import import torch
from .attention import Attention
from .positions import sinusoids

epsilon = 1e-5


class Model:
    """A testbed with its weights: tensors by name, matrices [in, out]."""

    def __init__(self, testbed, weights):
        self.testbed, self.weights = testbed, weights
        self.layers = [Attention(testbed, layer, weights) for layer in range(len(testbed['attention']))]
        # After how many layers an answer is taken, and from what confidence; the last layer answers whatever is left.
        self.exits = [(layer + 1, confidence) for layer, confidence in enumerate(testbed.get('exits') or []) if confidence is not None]

    def use(self, attention):
        """The attention of every layer: variant, parameters, shuffled."""
        for layer, given in zip(self.layers, attention):
            layer.use(given)

    def answers(self, tokens):
        """tokens int64 [batch, length] → logits [batch, length, classes] of each position's first exit that is confident, and its layers [batch, length]."""
        *early, logits = self.exit_logits(tokens)
        layers = torch.full(tokens.shape, len(self.layers), device=tokens.device)
        for (depth, confidence), own in reversed(list(zip(self.exits, early))):
            sure = torch.softmax(own, -1).amax(-1) >= confidence
            logits = torch.where(sure[..., None], own, logits)
            layers = layers.masked_fill(sure, depth)
        return logits, layers

    def exit_logits(self, tokens, taps=None):
        """tokens int64 [batch, length] → [batch, length, classes] of every exit, the last layer's at the end. taps: one a layer, see Attention, or None."""
        length = tokens.shape[1]
        x = self.weights['embed'][tokens]
        if self.testbed['position'] == 'sinusoidal':
            x = x + sinusoids(length, x.shape[-1], x.device)
        if self.testbed['position'] == 'learned':
            x = x + self.weights['position'][:length]
        depths = {depth for depth, _ in self.exits} | {len(self.layers)}
        logits = []
        for index, attend in enumerate(self.layers):
            x = self.layer(x, f'layers.{index}.', attend, None if taps is None else taps[index])
            if index + 1 in depths:
                logits.append(self.head(x))
        return logits

    def head(self, x):
        return (self.norm(x, 'norm') if self.testbed['normPlacement'] == 'before' else x) @ self.weights['head']

    def layer(self, x, name, attend, tap):
        """One layer: attention, then the MLP, each with its residual and norm."""
        if self.testbed['normPlacement'] == 'before':
            x = x + attend(self.norm(x, name + 'norm1'), tap)
            return x + self.mlp(self.norm(x, name + 'norm2'), name)
        x = self.norm(x + attend(x, tap), name + 'norm1')
        return self.norm(x + self.mlp(x, name), name + 'norm2')

    def mlp(self, x, name):
        return torch.nn.functional.gelu(x @ self.weights[name + 'mlp.in']) @ self.weights[name + 'mlp.out']

    def norm(self, x, name):
        weight = self.weights[name + '.weight']
        if self.testbed['norm'] == 'layer':
            return torch.nn.functional.layer_norm(x, x.shape[-1:], weight, self.weights[name + '.bias'], epsilon)
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon) * weight
