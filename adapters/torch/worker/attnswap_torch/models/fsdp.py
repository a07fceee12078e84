"""The model, its gradients and the optimizer's state sharded by FSDP2."""
import contextlib

from ..torch_import import torch
from ..unsupported import Unsupported
from .ranks import Group


class FullyShard(Group):
    """One rank of several, by `fully_shard`: parameters are gathered for one unit at a time."""

    def __init__(self, given, device):
        try:
            from torch import distributed
            from torch.distributed.fsdp import FSDPModule

            complete = distributed.is_available() and hasattr(FSDPModule, 'set_custom_all_gather')
        except ImportError:
            complete = False
        if not complete:
            raise Unsupported(f'PyTorch {torch.__version__} has no FSDP2 with timed communication, which training on several ranks needs: update it')
        super().__init__(given, device)

    def share_out(self, work, run):
        """Units are the sites, the layers around them, and the rest; what shares parameters with other units, or has its own read there, is no unit of its own."""
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        mesh = init_device_mesh(self.device.type, (self.ranks,))
        units = {*self.sites, *layers_around(work, self.sites), work}
        # The model is not on a GPU yet, and may run nowhere else.
        with contextlib.nullcontext() if self.device.type == 'cpu' else contextlib.suppress(Exception), Reads(work, units) as reads:
            run()
        units = untied(work, self.sites, units, reads.units_of)
        # Inner units first: each takes the parameters that none within it has.
        for module in reversed([each for each in work.modules() if each in units]):
            kind = type(module)
            module.register_forward_hook(owned_outputs)
            fully_shard(module, mesh=mesh, reshard_after_forward=True, shard_placement_fn=self.split)
            # It is of a class of FSDP's now; transformers looks for functions beside the model's own.
            type(module).__module__ = kind.__module__
            # Asked for a mean, gloo of older releases gives a sum, without a word.
            module.set_force_sum_reduction_for_comms(True)
            module.set_custom_all_gather(Timed(self.clock, 'all_gather'))
            module.set_custom_reduce_scatter(Timed(self.clock, 'reduce_scatter'))

    def backward(self, lose, last):
        self.work.lose = lose
        return super().backward(self.work, last)

    def split(self, parameter):
        """The dimension by which a parameter is sharded: the first, unless that is too short to be shared out evenly."""
        from torch.distributed.tensor import Shard

        even = [place for place, size in enumerate(parameter.shape) if size % self.ranks == 0]
        return Shard(even[0] if even and parameter.shape[0] < 16 * self.ranks else 0)


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


def untied(root, sites, units, reads):
    """
    The units without those that share a parameter, or have one read in a call of another: FSDP takes each into one unit, here that around them. Sites are
    also called on their own: what a site shares is the root's, which is gathered then, too, so that no unit around it is left.
    """
    while True:
        places = [*within(root, units, root)]
        owners, unit_of = {}, dict(places)
        for module, unit in places:
            for parameter in module.parameters(recurse=False):
                owners.setdefault(parameter, set()).update([unit, *(unit_of[reader] for reader in reads.get(parameter, ()))])
        torn = {unit for found in owners.values() if len(found) > 1 for unit in found} - {root}
        if not torn:
            return units
        units = {unit for unit in units - torn if unit is root or (torn & sites).isdisjoint(unit.modules())}


def within(module, units, unit):
    """Each module within one, with the unit that its own parameters belong to."""
    unit = module if module in units else unit
    yield module, unit
    for child in module.children():
        yield from within(child, units, unit)


class Reads(torch.overrides.TorchFunctionMode if torch is not None else object):
    """Within it, every read of a parameter is noted: in the innermost call of which of some units, or of the root outside of all, by parameter."""

    def __init__(self, root, units):
        super().__init__()
        self.units, self.calls, self.units_of, self.hooks = units - {root}, [root], {}, []

    def __enter__(self):
        for unit in self.units:
            self.hooks += [unit.register_forward_pre_hook(self.begin), unit.register_forward_hook(self.end)]
        return super().__enter__()

    def __exit__(self, *error):
        for hook in self.hooks:
            hook.remove()
        return super().__exit__(*error)

    def begin(self, unit, _inputs):
        self.calls.append(unit)

    def end(self, _unit, _inputs, _output):
        self.calls.pop()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        from torch.utils._pytree import tree_leaves

        given = func(*args, **(kwargs or {}))
        # A type, a size and the like are there wherever the numbers are.
        if any(isinstance(each, (torch.Tensor, float)) for each in tree_leaves(given)):
            for each in tree_leaves((args, kwargs)):
                if isinstance(each, torch.nn.Parameter):
                    self.units_of.setdefault(each, set()).add(self.calls[-1])
        return given
