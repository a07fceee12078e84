"""A folder's BertModel in plain PyTorch and transformers: answers each number of calls, or of training steps, on standard input with their nanoseconds. model_bare_loop.py call|train <folder> <item>"""
import sys
import time

import torch
from safetensors.torch import load_file
from transformers import BertModel
from transformers.utils import logging

mode, folder, item = sys.argv[1:]
logging.disable_progress_bar()
torch.set_num_threads(1)
torch.empty(31 * 2**20, dtype=torch.uint8)  # As the worker does: the allocator's state decides more than what is compared here.
model = BertModel.from_pretrained(folder, add_pooling_layer=False).eval().requires_grad_(False)
feeds = load_file(item)


class LowRank(torch.nn.Module):
    def __init__(self, linear):
        super().__init__()
        self.linear, self.on = linear, True
        self.a = torch.nn.Parameter(torch.randn(8, linear.in_features) / linear.in_features**0.5)
        self.b = torch.nn.Parameter(torch.zeros(linear.out_features, 8))

    def forward(self, x):
        return self.linear(x) + x @ self.a.T @ self.b.T if self.on else self.linear(x)


def call():
    with torch.inference_mode():
        model(**feeds)


def relative(given, wanted):
    return ((given - wanted) ** 2).sum() / (wanted**2).sum()


def states(on):
    for part in parts:
        part.on = on
    return model(**feeds).last_hidden_state


def train():
    with torch.no_grad():
        wanted = states(False)
    given = states(True)
    loss = relative(given, wanted) + relative(given.mean(1), wanted.mean(1))
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(trained, 1.0)
    optimizer.step()
    loss.item()


parts = []
if mode == 'train':
    for layer in model.encoder.layer:
        for name in ('query', 'key', 'value'):
            parts.append(LowRank(getattr(layer.attention.self, name)))
            setattr(layer.attention.self, name, parts[-1])
    trained = [weight for part in parts for weight in (part.a, part.b)]
    optimizer = torch.optim.AdamW(trained, lr=1e-4)
step = call if mode == 'call' else train
for line in sys.stdin:
    start = time.perf_counter_ns()
    for _ in range(int(line)):
        step()
    print(time.perf_counter_ns() - start, flush=True)
