"""Which attention the configs of a model of transformers ask for."""
import sys


class Asked(str):
    """
    The attention that a config names while this module's is led: found in the registries under `name`, and equal to what the config asked for, by which
    the code of some models decides what else to compute, such as masks of selected keys.
    """

    def __new__(cls, value, asked=None):
        made = super().__new__(cls, value)
        made.asked = asked
        return made

    def __eq__(self, other):
        return other in (str(self), self.asked)

    def __ne__(self, other):
        return not self == other

    # Dictionaries find nothing but the name.
    __hash__ = str.__hash__

    def __reduce__(self):
        return restored, (str(self), self.asked)


def restored(value, asked):
    """What was copied or saved with a model: in a process that has led none yet, nothing is registered under the name before."""
    from .interface import register

    register()
    return Asked(value, asked)


def asked_of(config):
    """The attention that a config of transformers asked for."""
    asked = config._attn_implementation
    return asked.asked if isinstance(asked, Asked) else asked


def is_pretrained(model):
    """Whether a model is one of transformers."""
    if 'transformers' not in sys.modules:
        return False
    from transformers import PreTrainedModel

    return isinstance(model, PreTrainedModel)


def pretrained(model):
    """Those modules of a model that are models of transformers, outer ones first."""
    return [each for each in model.modules() if is_pretrained(each)]


def is_config(given):
    """Whether it is a config of transformers."""
    return hasattr(type(given), '_attn_implementation')


def configs(model):
    """The configs of transformers that a model's modules read, and those within them, each once."""
    found, waiting = {}, [module.__dict__.get('config') for module in model.modules()]
    while waiting:
        config = waiting.pop()
        if is_config(config) and id(config) not in found:
            found[id(config)] = config
            waiting.extend(getattr(config, key, None) for key in getattr(config, 'sub_configs', ()))
    return found.values()
