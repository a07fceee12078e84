"""Training on several ranks: one process each, the model's parameters, gradients and optimizer state sharded among them by FSDP2."""
import os
import select
import sys
import threading
import time

from ..torch_import import torch
from ..unsupported import Unsupported


class Alone:
    """The one process of a training that is not shared."""

    rank, ranks, communication_ns = 0, 1, None

    def shard(self, model, sites):
        pass

    def mean(self, value):
        return float(value)


class Group:
    """One rank of several. `given`: `rank`, `ranks`, and `store`, the path of a file through which they find each other."""

    def __init__(self, given, device):
        self.rank, self.ranks, self.device = given['rank'], given['ranks'], device
        self.sites = None
        self.clock = Clock(device)
        try:
            from torch import distributed
            from torch.distributed.fsdp import FSDPModule

            complete = distributed.is_available() and hasattr(FSDPModule, 'set_custom_all_gather')
        except ImportError:
            complete = False
        if not complete:
            raise Unsupported(f'PyTorch {torch.__version__} has no FSDP2 with timed communication, which training on several ranks needs: update it')
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

    def shard(self, model, sites):
        """Shards all parameters of a model, gathered for one unit at a time: a site, the layer around it, and the rest."""
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        if self.sites is not None:
            if self.sites != set(sites):
                raise ValueError('ranks train the same modules from one question to the next')
            return
        self.sites = set(sites)
        mesh = init_device_mesh(self.device.type, (self.ranks,))
        whole = {*sites, *layers_around(model, sites), model}
        # Inner units first: each takes the parameters that none within it has.
        for module in reversed([each for each in model.modules() if each in whole]):
            kind = type(module)
            module.register_forward_hook(owned_outputs)
            fully_shard(module, mesh=mesh, reshard_after_forward=True, shard_placement_fn=self.split)
            # It is of a class of FSDP's now; transformers looks for functions beside the model's own.
            type(module).__module__ = kind.__module__
            # Asked for a mean, gloo of older releases gives a sum, without a word.
            module.set_force_sum_reduction_for_comms(True)
            module.set_custom_all_gather(Timed(self.clock, 'all_gather'))
            module.set_custom_reduce_scatter(Timed(self.clock, 'reduce_scatter'))

    def split(self, parameter):
        """The dimension by which a parameter is sharded: the first, unless that is too short to be shared out evenly."""
        from torch.distributed.tensor import Shard

        even = [place for place, size in enumerate(parameter.shape) if size % self.ranks == 0]
        return Shard(even[0] if even and parameter.shape[0] < 16 * self.ranks else 0)

    def mean(self, value):
        """The mean of a scalar over ranks."""
        from torch import distributed

        total = value.clone()
        self.clock.time(lambda: distributed.all_reduce(total))
        return float(total) / self.ranks


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


class Timed:
    """What FSDP gathers parameters or reduces gradients with, timed."""

    def __init__(self, clock, kind):
        from torch import distributed

        # Newer releases of PyTorch have other names for the same functions.
        names = {'all_gather': ('all_gather_single', 'all_gather_into_tensor'), 'reduce_scatter': ('reduce_scatter_single', 'reduce_scatter_tensor')}
        self.clock = clock
        self.call = next(getattr(distributed, name) for name in names[kind] if hasattr(distributed, name))

    def allocate(self, size, *, dtype, device):
        return torch.empty(*size, dtype=dtype, device=device)

    def __call__(self, output_tensor, input_tensor, group, op=None, async_op=False):
        more = {} if op is None else {'op': op}
        return self.clock.time(lambda: self.call(output_tensor, input_tensor, group=group, async_op=async_op, **more))


def owned_outputs(_module, _inputs, output):
    """What a unit gives, views copied: FSDP loses track of a view that is changed in place, and gathers no parameters for its gradient."""
    if type(output) in (tuple, list):
        return type(output)(owned_outputs(None, None, each) for each in output)
    return output.clone() if isinstance(output, torch.Tensor) and output.requires_grad and output._is_view() else output


def layers_around(model, sites):
    """The members of a model's lists of layers that contain a site."""
    lists = (torch.nn.ModuleList, torch.nn.Sequential)
    members = (member for module in model.modules() if isinstance(module, lists) for member in module.children())
    return [each for each in members if not isinstance(each, torch.nn.ModuleList) and any(module in sites for module in each.modules())]


def share(values, weight):
    """Values on a weight's device; of a sharded weight, this rank's share of them."""
    values = values.to(weight.device)
    if not hasattr(weight, 'placements'):
        return values
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(values, weight.device_mesh, weight.placements, src_data_rank=None)


def whole(tensor):
    """A tensor, gathered from all ranks where it is sharded."""
    return tensor.full_tensor() if hasattr(tensor, 'full_tensor') else tensor


def bytes_of(tensors):
    """The bytes of tensors that this rank holds."""
    held = [tensor.to_local() if hasattr(tensor, 'to_local') else tensor for tensor in tensors]
    return sum(tensor.numel() * tensor.element_size() for tensor in held)


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
