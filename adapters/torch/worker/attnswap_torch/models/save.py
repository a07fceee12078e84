"""A model's new attention as one Python file, which needs PyTorch and transformers alone."""
import ast
import hashlib
import os
import pprint

from .. import safetensors_file
from . import adapters
from .open import takes_no_pooler

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

file_text = '''"""
{title}. Written by attnswap {version}; needs only PyTorch and transformers. In the folder of this file:

    {lines}
"""
import importlib.abc
import importlib.util
import os
import sys

# Which attention stands at which module; every other module keeps its own.
table = {table}
# File beside this one whose low-rank parts are added to weights; None where nothing was trained.
parts = {parts!r}


def swapped(model):
    """Puts the new attention into the modules of `table`, adds trained updates if there are any, and returns the model. Nothing else changes."""
    interface = importlib.import_module('{name}.models.interface')
    interface.install(model)
    interface.place(model, table)
    if parts is not None:
        adapters = importlib.import_module('{name}.models.adapters')
        adapters.put(model, adapters.read(os.path.join(os.path.dirname(os.path.abspath(__file__)), parts)))
    return model


class Sources(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the modules below from their text."""

    def find_spec(self, name, path, target=None):
        return importlib.util.spec_from_loader(name, self, is_package=name in packages) if name in sources else None

    def exec_module(self, module):
        exec(compile(sources[module.__name__], f'<{{module.__name__}}>', 'exec'), module.__dict__)


packages = {packages}
sources = {{}}
{sources}
sys.meta_path.append(Sources())
'''

readme_text = '''# {title}

Written by attnswap {version}. The weights are those of `{source}`{changed}; `attnswap_attention.py` contains the new attention and needs only PyTorch
and transformers. In this folder:

```python
{lines}
```

| module | attention |
|---|---|
{rows}
'''


def save(model, question):
    """Writes attnswap_attention.py and README.md into a folder."""
    folder, table = question['folder'], question['sites']
    cls = type(model).__name__
    found = needed('models.interface', 'models.adapters')
    digest = hashlib.sha256(''.join(f'{name}\n{text}' for name, text in sorted(found.items())).encode()).hexdigest()
    name = f'attnswap_{digest[:12]}'
    source, imported, made = opening_of(model, question['source'], folder)
    opening = f'{imported}\nfrom attnswap_attention import swapped\nmodel = swapped({made})'
    given = {
        'title': f'{cls} with other attention',
        'version': question['version'],
        'source': source,
        'name': name,
        'table': pprint.pformat(table, width=120, sort_dicts=False),
        'parts': None if question.get('adapters') is None else 'adapters.safetensors',
    }
    rows = '\n'.join(f'| `{path}` | {variant_of(place)} |' for path, place in table.items())
    modules = {f'{name}.{each}' if each else name: text for each, text in sorted(found.items())}
    texts = '\n'.join(f'sources[{each!r}] = {quoted(text)}' for each, text in modules.items())
    packages = sorted(f'{name}.{each}' if each else name for each in found if os.path.isdir(path_of(each)))
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, 'attnswap_attention.py'), 'w', encoding='utf-8') as file:
        file.write(file_text.format(**given, lines=opening.replace('\n', '\n    '), packages=pprint.pformat(packages), sources=texts))
    if given['parts'] is not None:
        found = adapters.read(question['adapters'])
        named = {f'{path}.{name}': part for path, pair in found.items() for name, part in zip('ab', pair)}
        safetensors_file.write(os.path.join(folder, given['parts']), named)
    with open(os.path.join(folder, 'README.md'), 'w', encoding='utf-8') as file:
        changed = ', unchanged' if given['parts'] is None else f', with the low-rank updates in `{given["parts"]}` added to those of its attention'
        file.write(readme_text.format(**given, lines=opening, rows=rows, changed=changed))


def opening_of(model, source, folder):
    """(What the original is called in `folder`, the lines that import what opens it, and the call that does), of the path of the original."""
    path, _, function = source.rpartition(':')
    if path.endswith('.py'):
        directory, file = os.path.split(within(folder, path))
        imported = f'import sys\nsys.path.insert(0, {directory or "."!r})\nfrom {file[:-3]} import {function}'
        return f'{os.path.join(directory, file)}:{function}', imported, f'{function}()[0].eval()'
    cls = type(model)
    source = within(folder, source)
    without_pooler = takes_no_pooler(cls) and getattr(model, 'pooler', model) is None
    made = f'{cls.__name__}.from_pretrained({source!r}{", add_pooling_layer=False" if without_pooler else ""})'
    return source, f'from transformers import {cls.__name__}', made


def within(folder, path):
    """A path as it reads in a folder: there, and moved along with it, it names the same."""
    path, folder = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path)), os.path.realpath(folder)
    try:
        return os.path.relpath(path, folder)
    except ValueError:  # On another drive of Windows.
        return path


def variant_of(place):
    """A variant as a user writes it."""
    parameters = ','.join(f'{key}={value}' for key, value in place['parameters'].items())
    factor = '' if place.get('scaleFactor') is None else f', logits × {place["scaleFactor"]}'
    return f'`{place["variant"]}.{place["kernel"]}{":" if parameters else ""}{parameters}`{factor}'


def quoted(text):
    """A Python literal of several lines."""
    escaped = text.replace('\\', '\\\\').replace("'''", "\\'\\'\\'")
    return f"'''{escaped}'''"


def needed(*starts):
    """The text of modules of this package and of all that they import of it, by name; the package itself is ''."""
    found, waiting = {}, [*starts]
    while waiting:
        name = waiting.pop()
        path = path_of(name)
        if name in found or path is None:
            continue
        directory = os.path.isdir(path)
        with open(os.path.join(path, '__init__.py') if directory else path, encoding='utf-8') as file:
            found[name] = file.read()
        parts = [part for part in name.split('.') if part]
        inside = parts if directory else parts[:-1]
        waiting.extend('.'.join(parts[:count]) for count in range(len(parts)))
        for node in ast.walk(ast.parse(found[name])):
            if isinstance(node, ast.ImportFrom) and node.level > 0:
                base = inside[: len(inside) - node.level + 1] + (node.module.split('.') if node.module else [])
                waiting.append('.'.join(base))
                waiting.extend('.'.join([*base, alias.name]) for alias in node.names)
    return found


def path_of(name):
    """The file, or folder, of a module of this package; None where a name is none."""
    path = os.path.join(root, *[part for part in name.split('.') if part])
    if os.path.isfile(os.path.join(path, '__init__.py')):
        return path
    return f'{path}.py' if os.path.isfile(f'{path}.py') else None
