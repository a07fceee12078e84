"""The model, its gradients and the optimizer's state sharded by FSDP2."""
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

    def share_out(self, work):
        """Units are the sites, the layers around them, and the rest; what shares parameters with other units is no unit of its own."""
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        mesh = init_device_mesh(self.device.type, (self.ranks,))
        units = untied(work, self.sites, {*self.sites, *layers_around(work, self.sites), work})
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


def untied(root, sites, units):
    """
    The units without those that share a parameter: FSDP takes each into one unit, here that around them. Sites are also called on their own: what a site shares
    is the root's, which is gathered then, too, so that no unit around it is left.
    """
    while True:
        owners = {}
        collect(root, units, root, owners)
        torn = {unit for found in owners.values() if len(found) > 1 for unit in found} - {root}
        if not torn:
            return units
        units = {unit for unit in units - torn if unit is root or (torn & sites).isdisjoint(unit.modules())}


def collect(module, units, unit, owners):
    """Adds the unit of each parameter within a module, by parameter."""
    unit = module if module in units else unit
    for parameter in module.parameters(recurse=False):
        owners.setdefault(parameter, set()).add(unit)
    for child in module.children():
        collect(child, units, unit, owners)
