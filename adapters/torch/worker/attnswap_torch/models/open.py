"""Models of the user's: a folder as save_pretrained writes it, or a function that builds a module."""
import glob
import importlib.util
import inspect
import json
import os
import sys

from ..torch_import import torch
from ..unsupported import Unsupported
from .declared import Input, declared


def open_model(target):
    """(model in evaluation mode, inputs, longest sequence or None). Raises Unsupported."""
    path, _, function = target.rpartition(':')
    model, inputs, longest = built(path, function) if path.endswith('.py') else from_folder(target)
    return model.eval(), inputs, longest


def from_folder(folder):
    """A model of transformers, from config.json and safetensors alone: nothing is downloaded, and no code of the folder's is run."""
    try:
        with open(os.path.join(folder, 'config.json'), encoding='utf-8') as file:
            config = json.load(file)
    except (OSError, ValueError) as error:
        raise Unsupported(f'{folder}: no readable config.json: {error}') from None
    try:
        import transformers
    except Exception as error:
        raise Unsupported(f'{sys.executable} cannot import transformers: {type(error).__name__}: {error}') from None
    cls = model_class(folder, config, transformers)
    without_pooler = {'add_pooling_layer': False} if takes_no_pooler(cls) else {}
    model, missing = loaded(cls, folder, **({} if names_pooler(folder) else without_pooler))
    if missing and without_pooler and all(name.startswith('pooler.') for name in missing):
        model, missing = loaded(cls, folder, **without_pooler)
    if missing:
        raise Unsupported(f'{folder}: {cls.__name__} has no weights for {len(missing)} of its tensors, such as {missing[0]}: they would be initialized at random')
    longest = getattr(model.config.get_text_config(), 'max_position_embeddings', None)
    return model, declared(model), longest if isinstance(longest, int) and longest > 0 else None


def import_class(folder):
    """Imports what opening a folder's model takes. Raises Unsupported, and what reading and importing raises."""
    with open(os.path.join(folder, 'config.json'), encoding='utf-8') as file:
        config = json.load(file)
    import transformers

    model_class(folder, config, transformers)
    try:
        from transformers.conversion_mapping import get_checkpoint_conversion_mapping
    except ImportError:
        return
    # A thousand patterns, compiled at the first use: most of what opening a small model takes.
    get_checkpoint_conversion_mapping(config.get('model_type'))


def loaded(cls, folder, **more):
    """(model, names of the tensors without weights), of local files alone."""
    local = {'local_files_only': True, 'use_safetensors': True, 'trust_remote_code': False}
    model, told = cls.from_pretrained(folder, **local, **more, output_loading_info=True)
    return model, sorted(told.get('missing_keys') or [])


def takes_no_pooler(cls):
    """Whether a class can do without its pooler, as encoders of sentences are often saved."""
    return 'add_pooling_layer' in inspect.signature(cls.__init__).parameters


def names_pooler(folder):
    """Whether any of a folder's weights is a pooler's. Raises what reading the files raises."""
    from safetensors import safe_open

    names = []
    for file in glob.glob(os.path.join(glob.escape(folder), '*.safetensors')):
        with safe_open(file, 'pt') as weights:
            names.extend(weights.keys())
    return any('pooler.' in name for name in names)


def model_class(folder, config, transformers):
    """The class that config.json names, of transformers' own."""
    names = config.get('architectures') or []
    cls = getattr(transformers, names[0], None) if names and isinstance(names[0], str) else None
    if cls is not None and inspect.isclass(cls) and issubclass(cls, transformers.PreTrainedModel):
        return cls
    if 'auto_map' in config:
        raise Unsupported(f'{folder}: requires custom code (auto_map in config.json), which attnswap does not run: trust_remote_code stays off')
    if names:
        raise Unsupported(f'{folder}: transformers {transformers.__version__} has no model {names[0]}, which config.json names')
    return transformers.AutoModel


def built(path, function):
    """
    What `function` of the file returns: (module, inputs), with inputs as {name: {'type', 'dims', 'below'}}. The user's own code: it is run.
    """
    if not os.path.isfile(path):
        raise Unsupported(f'{path}: no such file')
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    spec = importlib.util.spec_from_file_location(os.path.basename(path)[:-3], path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    build = getattr(module, function, None)
    if not callable(build):
        raise Unsupported(f'{path}: has no function {function}')
    given = build()
    if not (isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], torch.nn.Module) and isinstance(given[1], dict)):
        raise Unsupported(f'{path}:{function} returned {type(given).__name__}, expected (module, {{name: {{"type", "dims"}}}})')
    model, inputs = given
    return model, [Input(name, said['type'], said['dims'], said.get('below')) for name, said in inputs.items()], None
