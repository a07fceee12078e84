"""dense.naive or dense.tiled in plain PyTorch, causal: answers each number of calls on standard input with their nanoseconds. torch_bare_loop.py <kernel> <n> <threads>"""
import sys
import time

import torch

kernel, n, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
torch.empty(31 * 2**20, dtype=torch.uint8)  # As the worker does: the allocator's state decides more than what is compared here.
q, k, v = (torch.randn(1, 8, n, 64) for _ in range(3))
least = torch.finfo(torch.float32).min


def attend(query, start, stop):
    """Queries start … stop, scaled already, against the keys up to the last of them."""
    later = torch.arange(stop) > torch.arange(start, stop)[:, None]
    logits = (query @ k[:, :, :stop].transpose(-1, -2)).masked_fill_(later, least)
    return torch.softmax(logits, -1) @ v[:, :, :stop]


def naive():
    return attend(q * 0.125, 0, n)


def tiled():
    query = q * 0.125
    return torch.cat([attend(query[:, :, start : start + 128], start, min(n, start + 128)) for start in range(0, n, 128)], 2)


call = {'naive': naive, 'tiled': tiled}[kernel]
with torch.inference_mode():
    for line in sys.stdin:
        calls = int(line)
        start = time.perf_counter()
        for _ in range(calls):
            call()
        print(round(1e9 * (time.perf_counter() - start)), flush=True)
