"""Low-rank parts of the linear maps in attention modules: W + b·a."""
from .. import safetensors_file
from ..torch_import import torch
from ..unsupported import Unsupported
from .ranks import shape_of

# A state of a training holds the parts and the optimizer's state; this begins the names of the latter.
optimizer_prefix = 'optimizer/'


def linears(model, sites):
    """
    The linear maps within some modules, by path. Raises ValueError where a module has none, or where a weight is another module's, too; Unsupported
    where one cannot be added to.
    """
    modules = dict(model.named_modules())
    found = {}
    for site in sites:
        inside = {path: module for path, module in modules[site].named_modules(prefix=site) if is_linear(module)}
        if not inside:
            raise ValueError(f'{site} has no linear layers to train')
        found.update(inside)
    for path, module in found.items():
        require_weight(path, module)
    trained = {id(module.weight): path for path, module in found.items()}
    for path, module in modules.items():
        for parameter in module._parameters.values():
            if trained.get(id(parameter), path) != path:
                raise ValueError(f'{trained[id(parameter)]} shares its weight with {path}: what is added for one of them would change the other')
    return found


def require_weight(path, module):
    """Raises Unsupported where what is added to a linear map's weight would be lost, or not be what was added."""
    weight = module._parameters.get('weight')
    if weight is None:
        raise Unsupported(f'{path} computes its weight from other parameters (a parametrization, weight norm, pruning), so nothing can be added to it: fold them first')
    if not weight.is_floating_point():
        raise Unsupported(f'{path} has a weight of type {weight.dtype}, to which nothing can be added: load the model without quantization')


def is_linear(module):
    """Whether it is a matrix that inputs are multiplied with: PyTorch's own, or transformers' transposed one."""
    # Of nn.MultiheadAttention's map, only the weight is read: the module is never called.
    unread = torch.nn.modules.linear.NonDynamicallyQuantizableLinear
    return (isinstance(module, torch.nn.Linear) and not isinstance(module, unread)) or type(module).__name__ == 'Conv1D'


def sizes(module):
    """(outputs, inputs)."""
    rows, columns = shape_of(module.weight)
    return (rows, columns) if isinstance(module, torch.nn.Linear) else (columns, rows)


def add_parts(linears, values):
    """Puts parts to be trained beside linear maps: as `attnswap_a` and `attnswap_b`, of the sizes of values by name as in a file. None is put twice."""
    for path, module in linears.items():
        for part in 'ab':
            if not hasattr(module, f'attnswap_{part}'):
                blank = torch.empty_like(values[f'{path}.{part}'], device=module.weight.device)
                module.register_parameter(f'attnswap_{part}', torch.nn.Parameter(blank))


def parts_of(linears):
    """Such parts, named as in a file."""
    return {f'{path}.{part}': getattr(module, f'attnswap_{part}') for path, module in linears.items() for part in 'ab'}


def remove_parts(linears):
    """Takes such parts away."""
    for module in linears.values():
        del module.attnswap_a, module.attnswap_b


def put(model, parts):
    """
    Adds parts, {path: (a [rank, inputs], b [outputs, rank])}, to the model's own weights; what was added before is taken out, bit for bit. Raises
    Unsupported, and adds nothing, where a weight is not one that the module computes with.
    """
    for module in model.modules():
        own = module.__dict__.pop('attnswap_own_weight', None)
        if own is not None:
            module.weight.data = own
    modules = dict(model.named_modules())
    for path in parts:
        require_whole(path, modules.get(path))
    for path, (a, b) in parts.items():
        module = modules[path]
        own = module.__dict__['attnswap_own_weight'] = module.weight.data
        # Rounded once, where the model's own numbers are shorter than the parts'.
        kind = torch.promote_types(own.dtype, a.dtype)
        added = b.to(own.device, kind) @ a.to(own.device, kind)
        module.weight.data = (own.to(kind) + (added if isinstance(module, torch.nn.Linear) else added.T)).to(own.dtype)


def require_whole(path, module):
    """Raises Unsupported where a trained part cannot be added to a linear map of a model as it was loaded."""
    if module is None or not is_linear(module):
        raise Unsupported(f'the model has no linear layer {path}, for which there are trained updates: is it the model that was migrated?')
    require_weight(path, module)
    kind = type(module.weight.data)
    if module.weight.is_meta or kind is not torch.Tensor:
        where = 'is not in memory' if module.weight.is_meta else f'is a {kind.__name__}'
        raise Unsupported(f'the weight of {path} {where}, so trained updates cannot be added to it: load the model whole, without offloading, sharding or quantization')


def own_weights(model):
    """The model's own weights beneath what was added, by name of the parameter."""
    held = {path: module.__dict__.get('attnswap_own_weight') for path, module in model.named_modules()}
    return {f'{path}.weight': weight for path, weight in held.items() if weight is not None}


def read(path):
    """The parts in a file, which may hold the optimizer's state, too."""
    tensors = {name: values for name, values in safetensors_file.read(path).items() if not name.startswith(optimizer_prefix)}
    return {name[:-2]: (tensors[name], tensors[f'{name[:-2]}.b']) for name in tensors if name.endswith('.a')}
