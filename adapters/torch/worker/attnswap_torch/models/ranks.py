"""Training on several ranks: one process each, the model's parameters, gradients and optimizer state sharded among them."""
import os
import select
import sys
import threading
import time

from ..torch_import import torch
from ..training.optimizer import Optimizer


class Alone:
    """The one process of a training that is not shared."""

    rank, ranks, communication_ns = 0, 1, None

    def shard(self, model, sites, run):
        pass

    def optimizer(self, weights, options):
        return Optimizer(weights, options)

    def backward(self, lose, last):
        """Adds a loss's gradients to what a step has so far; `last` of the step. The loss that `lose` computes."""
        loss = lose()
        loss.backward()
        return loss.detach()

    def mean(self, value):
        return float(value)


class Group(Alone):
    """One rank of several. `given`: `rank`, `ranks`, and `store`, the path of a file through which they find each other."""

    def __init__(self, given, device):
        from torch import distributed

        # A rank that never comes is waited for.
        end_with_attnswap()
        self.rank, self.ranks, self.device = given['rank'], given['ranks'], device
        self.sites = self.work = None
        self.clock = Clock(device)
        # All ranks are on this machine: no port is opened to others.
        for library in ('GLOO', 'NCCL'):
            os.environ.setdefault(f'{library}_SOCKET_IFNAME', 'lo0' if sys.platform == 'darwin' else 'lo')
        store = distributed.FileStore(given['store'], self.ranks)
        backend = 'nccl' if device.type == 'cuda' else 'gloo'
        distributed.init_process_group(backend, store=store, rank=self.rank, world_size=self.ranks)

    @property
    def communication_ns(self):
        """Time spent in communication so far."""
        return self.clock.total_ns()

    def shard(self, model, sites, run):
        """Shards all parameters of a model, once. `run` calls the model while it is whole, where it then is."""
        if self.sites is None:
            self.sites, self.work = set(sites), Work(model)
            self.share_out(self.work, run)
        elif self.sites != set(sites):
            raise ValueError('ranks train the same modules from one question to the next')

    def mean(self, value):
        """The mean of a scalar over ranks."""
        from torch import distributed

        total = value.clone()
        self.clock.time(lambda: distributed.all_reduce(total))
        return float(total) / self.ranks


class Work(torch.nn.Module):
    """
    What ranks run forward and backward: whatever computes a loss with the model. What belongs to no smaller unit of the model stays gathered meanwhile, even where
    only a part of the model is called.
    """

    lose = None

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self):
        return self.lose()


def group_of(given, device):
    """What a model is trained in: this process alone, or a rank of several. Raises Unsupported."""
    if given is None:
        return Alone()
    if given.get('deepspeed') is None:
        from .fsdp import FullyShard

        return FullyShard(given, device)
    from .zero import Zero

    return Zero(given, device)


class Clock:
    """Adds up the time of some calls on a device, where they may overlap computation."""

    def __init__(self, device):
        self.device, self.elapsed_ns, self.events = device, 0, []

    def time(self, call):
        if self.device.type == 'cuda':
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            result = call()
            end.record()
            self.events.append((start, end))
            return result
        start = time.perf_counter_ns()
        result = call()
        self.elapsed_ns += time.perf_counter_ns() - start
        return result

    def total_ns(self):
        if self.events:
            torch.cuda.synchronize(self.device)
            self.elapsed_ns += round(1e6 * sum(start.elapsed_time(end) for start, end in self.events))
            self.events = []
        return self.elapsed_ns


def share(values, weight):
    """Values on a weight's device; of a sharded weight, this rank's share of them."""
    values = values.to(weight.device)
    if hasattr(weight, 'ds_tensor'):
        from .zero import piece

        return piece(values, weight)
    if not hasattr(weight, 'placements'):
        return values
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(values, weight.device_mesh, weight.placements, src_data_rank=None)


def whole(tensor):
    """A tensor without its gradient, gathered from all ranks where it is sharded."""
    if hasattr(tensor, 'ds_tensor'):
        from .zero import gathered

        return gathered(tensor)
    tensor = tensor.detach()
    return tensor.full_tensor() if hasattr(tensor, 'full_tensor') else tensor


def held(tensor):
    """What this rank holds of a tensor."""
    if hasattr(tensor, 'ds_tensor'):
        return tensor.ds_tensor
    return tensor.to_local() if hasattr(tensor, 'to_local') else tensor


def shape_of(tensor):
    """The shape of all of a tensor, which DeepSpeed keeps elsewhere."""
    return getattr(tensor, 'ds_shape', tensor.shape)


def bytes_of(tensors):
    """The bytes of tensors that this rank holds."""
    return sum(tensor.numel() * tensor.element_size() for tensor in map(held, tensors))


watching = False


def end_with_attnswap():
    """From now on this process ends when attnswap does, whatever it is doing: a rank may wait for others that are gone. Not on Windows."""
    global watching
    if watching or not hasattr(select, 'poll'):
        return
    watching = True
    ends = select.poll()
    ends.register(0, 0)

    def watch():
        ends.poll()  # Without events to wait for, only a hang-up ends it.
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
