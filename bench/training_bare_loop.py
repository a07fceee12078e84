"""
A testbed with dense attention in plain PyTorch: prints the losses and gradient norms of its first steps, or answers each number of steps on standard
input with their nanoseconds. training_bare_loop.py losses|time <training.json>
"""
import json
import math
import sys
import time
from collections import OrderedDict

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

mode, path = sys.argv[1:]
with open(path, encoding='utf-8') as file:
    training = json.load(file)
testbed, options = training['testbed'], training['optimizer']
width, heads = testbed['width'], testbed['heads']
assert testbed['norm'] == 'layer' and testbed['normPlacement'] == 'before' and testbed['position'] in ('sinusoidal', 'learned', 'rotary')
torch.set_num_threads(training['threads'])
torch.empty(31 * 2**20, dtype=torch.uint8)  # As the trainer does: the allocator's state decides more than what is compared here.


def angles(length, dim):
    return torch.arange(length, dtype=torch.float64)[:, None] / 10000.0 ** (torch.arange(0, dim, 2, dtype=torch.float64) / dim)


class Attention(nn.Module):
    def __init__(self, causal, turns):
        super().__init__()
        self.causal, self.turns = causal, turns
        self.query, self.key, self.value, self.output = (nn.Linear(width, width, bias=False) for _ in range(4))
        if turns:
            angle = angles(testbed['length'], width // heads).repeat(1, 2)
            self.register_buffer('cos', angle.cos().float())
            self.register_buffer('sin', angle.sin().float())

    def rotate(self, x):
        first, second = x.chunk(2, -1)
        return x * self.cos[: x.shape[-2]] + torch.cat((-second, first), -1) * self.sin[: x.shape[-2]]

    def forward(self, x, memory=None):
        read = x if memory is None else memory
        query, key, value = (y.view(*y.shape[:2], heads, width // heads).transpose(1, 2) for y in (self.query(x), self.key(read), self.value(read)))
        if self.turns:
            query, key = self.rotate(query), self.rotate(key)
        output = F.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        return self.output(output.transpose(1, 2).reshape(x.shape))


class Layer(nn.Module):
    def __init__(self, causal, has_cross):
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width), Attention(causal, testbed['position'] == 'rotary')
        if has_cross:
            self.normCross, self.cross = nn.LayerNorm(width), Attention(False, False)
        self.norm2 = nn.LayerNorm(width)
        up, down = nn.Linear(width, testbed['hidden'], bias=False), nn.Linear(testbed['hidden'], width, bias=False)
        self.mlp = nn.Sequential(OrderedDict([('in', up), ('gelu', nn.GELU()), ('out', down)]))

    def forward(self, x, memory=None):
        x = x + self.attention(self.norm1(x))
        if memory is not None:
            x = x + self.cross(self.normCross(x), memory)
        return x + self.mlp(self.norm2(x))


class Stack(nn.Module):
    def __init__(self, length, layers, causal, has_cross):
        super().__init__()
        if testbed['position'] == 'learned':
            self.position = nn.Parameter(torch.empty(length, width))
        if testbed['position'] == 'sinusoidal':
            angle = angles(length, width)
            self.register_buffer('position', torch.stack((angle.sin(), angle.cos()), -1).flatten(1).float())
        self.layers = nn.ModuleList(Layer(causal, has_cross) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def run(self, x, memory=None):
        if testbed['position'] != 'rotary':
            x = x + self.position[: x.shape[1]]
        for layer in self.layers:
            x = layer(x, memory)
        return self.norm(x)


class Testbed(Stack):
    def __init__(self):
        encoder = testbed.get('encoder')
        super().__init__(testbed['length'], len(testbed['attention']), testbed['causal'], encoder is not None)
        self.embed = nn.Embedding(testbed['vocabulary'], width)
        self.encoder = None if encoder is None else Stack(encoder['length'], len(encoder['attention']), False, False)
        self.head = nn.Linear(width, testbed['classes'], bias=False)

    def forward(self, tokens, source):
        memory = None if self.encoder is None else self.encoder.run(self.embed(source))
        return self.head(self.run(self.embed(tokens), memory))


model = Testbed()
weights = load_file(training['weights'])
with torch.no_grad():
    for name, parameter in model.named_parameters():
        if name in weights:
            parameter.copy_(weights.pop(name))
            continue
        given = weights.pop(name.removesuffix('.weight'))
        parameter.copy_(given if name == 'embed.weight' else given.T)
assert not weights, f'the bare model has no {", ".join(weights)}'

data = {name: values.long() for name, values in load_file(training['data']).items()}
tokens, targets, source = data['tokens'], data['targets'], data.get('source')
order = load_file(training['order'])['order'].long()
decayed, others = ([p for p in model.parameters() if (p.dim() > 1) == matrix] for matrix in (True, False))
groups = [{'params': decayed, 'weight_decay': options['weightDecay']}, {'params': others, 'weight_decay': 0}]
adam = torch.optim.AdamW(groups, betas=(0.9, 0.98))


def rate(step):
    peak, warm_up = options['learningRate'], options['warmUpSteps']
    if step < warm_up:
        return peak * (step + 1) / warm_up
    share = min(1, (step - warm_up) / (options['steps'] - warm_up))
    return peak * (0.1 + 0.45 * (1 + math.cos(math.pi * share)))


def train(step):
    batch = order[step % len(order)]
    for group in adam.param_groups:
        group['lr'] = rate(step)
    logits = model(tokens[batch], None if source is None else source[batch])
    loss = F.cross_entropy(logits.flatten(0, 1), targets[batch].flatten(), ignore_index=-1)
    adam.zero_grad()
    loss.backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), options['clip'])
    adam.step()
    return loss.item(), norm.item()


if mode == 'losses':
    losses, norms = zip(*(train(step) for step in range(len(order))))
    print(json.dumps({'losses': losses, 'gradientNorms': norms}))
    sys.exit()
done = 0
for line in sys.stdin:
    start = time.perf_counter_ns()
    for _ in range(int(line)):
        train(done)
        done += 1
    print(time.perf_counter_ns() - start, flush=True)
