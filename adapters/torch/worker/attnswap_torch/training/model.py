"""The testbed's forward pass. What it computes is told in src/training/testbed.ts."""
import math
from collections import namedtuple

from ..torch_import import torch
from .attention import Attention, sites
from .positions import sinusoids

epsilon = 1e-5

# What an exit or the last layer gives: logits [batch, length, classes], and how sure its own head is [batch, length], None where it has none.
Output = namedtuple('Output', 'logits sure')


class Model:
    """A testbed with its parameters: tensors by name, matrices [in, out]."""

    def __init__(self, testbed, parameters):
        self.testbed, self.parameters = testbed, parameters
        self.depth = len(testbed['attention'])
        # By the names of every layer; shared layers are all the first.
        self.weights = dict(parameters)
        if testbed.get('sharedLayers'):
            own = {name[len('layers.0.') :]: weight for name, weight in parameters.items() if name.startswith('layers.0.')}
            self.weights.update((f'layers.{layer}.{name}', weight) for layer in range(self.depth) for name, weight in own.items())
        self.sites = [Attention(testbed, name, kind, self.weights) for name, kind in sites(testbed)]
        # After how many layers an answer is taken, and from what confidence; the last layer answers whatever is left.
        self.exits = [(layer + 1, confidence) for layer, confidence in enumerate(testbed.get('exits') or []) if confidence is not None]
        # Whether positions leave one by one: their states are then copied to the layers that follow.
        self.by_position = bool(self.exits) and testbed.get('exitBy') == 'position'

    def use(self, attention):
        """The attention of every site: variant, parameters, shuffled."""
        for site, given in zip(self.sites, attention):
            site.use(given)

    def answers(self, items):
        """items → logits [batch, length, classes] of the first exit at which each position may leave, and its layers [batch, length]."""
        *early, (logits, _) = self.outputs(items, answering=True)
        layers = torch.full(items.tokens.shape, self.depth, device=logits.device)
        for (depth, confidence), own in reversed(list(zip(self.exits, early))):
            leaves = self.leaving(own, items.asked, confidence)
            logits = torch.where(leaves[..., None], own.logits, logits)
            layers = layers.masked_fill(leaves, depth)
        return logits, layers

    def leaving(self, output, asked, confidence):
        """Which positions may leave at an exit that gives this, bool [batch, length]: those that are sure, or all of a sequence whose are."""
        sureness = torch.softmax(output.logits, -1).amax(-1) if output.sure is None else output.sure
        sure = (sureness.detach() >= confidence) | ~asked
        return sure if self.by_position else sure.all(-1, keepdim=True).expand_as(sure)

    def outputs(self, items, taps=None, answering=False):
        """
        items → an Output of every exit, the last layer's at the end. taps: one a site, see Attention, or None. In training, heads send off only
        positions that are not asked: behind a copied state going on would cost a layer and gain nothing, and the head would never learn to stay.
        """
        exits = self.exits if answering or self.testbed.get('layerCost') is None else [(depth, math.inf) for depth, _ in self.exits]
        return self.decode(items, self.encode(items.source, taps), taps, exits)

    def encode(self, source, taps=None):
        """source int64 [batch, source length] → [batch, source length, width]; None where there is no encoder."""
        if source is None:
            return None
        x = self.embed(source, 'encoder.')
        for layer in range(len(self.testbed['encoder']['attention'])):
            x = self.layer(x, f'encoder.layers.{layer}.', None, taps)
        return self.last_norm(x, 'encoder.norm')

    def decode(self, items, memory, taps=None, exits=()):
        """items, and what the encoder gave → an Output of every exit."""
        x = self.embed(items.tokens, '')
        exits = {**dict(exits), self.depth: 0}
        left = None
        outputs = []
        for layer in range(self.depth):
            after = self.layer(x, f'layers.{layer}.', memory, taps)
            x = after if left is None else torch.where(left[..., None], x, after)
            if layer + 1 not in exits:
                continue
            normed = self.last_norm(x, 'norm')
            sure = self.sureness(normed, f'layers.{layer}.exit.') if layer + 1 < self.depth else None
            outputs.append(Output(normed @ self.weights['head'], sure))
            if self.by_position:
                leaves = self.leaving(outputs[-1], items.asked, exits[layer + 1])
                left = leaves if left is None else left | leaves
        return outputs

    def sureness(self, normed, name):
        """What the exit head whose names begin with `name` makes of states, [batch, length]; None where there is none."""
        if name + 'weight' not in self.weights:
            return None
        return torch.sigmoid(normed @ self.weights[name + 'weight'] + self.weights[name + 'bias'])[..., 0]

    def embed(self, tokens, prefix):
        """Embedded tokens with their positions; `prefix` begins the names of what the encoder has of its own."""
        x, length = torch.nn.functional.embedding(tokens, self.weights['embed']), tokens.shape[1]
        if self.testbed['position'] == 'sinusoidal':
            return x + sinusoids(length, x.shape[-1], x.device)
        return x + self.weights[prefix + 'position'][:length] if self.testbed['position'] == 'learned' else x

    def last_norm(self, x, name):
        return self.norm(x, name) if self.testbed['normPlacement'] == 'before' else x

    def layer(self, x, name, memory, taps):
        """The layer whose names begin with `name`: its attention, then the MLP, each with its residual and norm."""
        for index, site in enumerate(self.sites):
            if site.name.startswith(name):
                attend = lambda given: site(given, memory, None if taps is None else taps[index])
                x = self.residual(x, name + ('normCross' if site.kind == 'cross' else 'norm1'), attend)
        return self.residual(x, name + 'norm2', lambda given: self.mlp(given, name))

    def residual(self, x, norm, branch):
        if self.testbed['normPlacement'] == 'before':
            return x + branch(self.norm(x, norm))
        return self.norm(x + branch(x), norm)

    def mlp(self, x, name):
        return torch.nn.functional.gelu(x @ self.weights[name + 'mlp.in']) @ self.weights[name + 'mlp.out']

    def norm(self, x, name):
        weight = self.weights[name + '.weight']
        if self.testbed['norm'] == 'layer':
            return torch.nn.functional.layer_norm(x, x.shape[-1:], weight, self.weights[name + '.bias'], epsilon)
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon) * weight
