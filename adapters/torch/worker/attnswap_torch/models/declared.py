"""What a model is to be fed: inputs as the user declares them, or as the classes of transformers take them."""
import inspect
import math

from ..unsupported import Unsupported

types = {'float32', 'float16', 'int64', 'int32', 'bool'}

# Where a config says nothing of it: pixels of a side, frames of features, and what a second of sound has of the last layer's frames.
usual_side, usual_frames, frames_per_second = 224, 100, 50


class Input:
    """An input as the model wants it: dims are sizes, or names where they may change; whole numbers are drawn below `below`."""

    # Whether a call may do without it.
    optional = False
    # Bytes of an element as the model keeps it, where its type does not tell.
    stored = None

    def __init__(self, name, type_, dims, below=None):
        if type_ not in types:
            raise Unsupported(f'input {name} has type {type_!r}, expected one of {", ".join(sorted(types))}')
        self.name, self.type, self.dims, self.below = name, type_, list(dims), below

    def told(self):
        more = {'below': self.below, 'optional': self.optional or None, 'storedBytes': self.stored}
        return {'name': self.name, 'type': self.type, 'dims': self.dims, **{word: value for word, value in more.items() if value is not None}}


def declared(model):
    """The inputs of a model of transformers. Raises Unsupported where its kind is not known."""
    config = model.config
    taken = inspect.signature(model.forward).parameters
    main = model.main_input_name
    inputs = known[main](model, taken) if isinstance(main, str) and main in known else []
    if not inputs:
        raise Unsupported(f'{type(model).__name__} takes {main}, whose shape attnswap does not know: use a module.py:build that declares it')
    # Towers of two kinds, such as CLIP's, are called together.
    if hasattr(model, 'get_text_features'):
        names = {each.name for each in inputs}
        inputs.extend(each for name in known if name in taken and name not in names for each in known[name](model, {name: None}))
    if getattr(config, 'is_encoder_decoder', False) and 'decoder_input_ids' in taken:
        vocabulary = config.get_text_config(decoder=True).vocab_size
        inputs.append(Input('decoder_input_ids', 'int64', ['batch', 'decoder_sequence'], vocabulary))
    return inputs


def part_of(config, *names):
    """What the first of a config and those of its parts that have it says by one of some names; None where none does."""
    for part in (config, *(getattr(config, each, None) for each in ('vision_config', 'audio_config', 'encoder'))):
        for name in names:
            if getattr(part, name, None) is not None:
                return getattr(part, name)
    return None


def token_ids(model, taken):
    inputs = [Input('input_ids', 'int64', ['batch', 'sequence'], model.config.get_text_config().vocab_size)]
    if 'attention_mask' in taken:
        inputs.append(Input('attention_mask', 'int64', ['batch', 'sequence'], 2))
    return inputs


def pixels(model, _):
    """An image, or the frames of a video, of the size that the config says."""
    size = part_of(model.config, 'image_size') or usual_side
    sides = size if isinstance(size, (list, tuple)) else [size] * 2
    frames = getattr(model.config, 'num_frames', None)
    return [Input('pixel_values', 'float32', ['batch', *([] if frames is None else [frames]), part_of(model.config, 'num_channels') or 3, *sides])]


def sound(model, _):
    """A second of sound as samples, or a spectrogram."""
    config = model.config
    strides, bins, longest = (part_of(config, name) for name in ('conv_stride', 'num_mel_bins', 'max_length'))
    if strides:
        return [Input('input_values', 'float32', ['batch', frames_per_second * math.prod(strides)])]
    return [Input('input_values', 'float32', ['batch', longest, bins])] if bins and longest else []


def features(model, _):
    """Features of sound: channels before frames where the config counts frames behind a convolution, as Whisper's does."""
    config = model.config
    bins, positions = part_of(config, 'num_mel_bins'), part_of(config, 'max_source_positions')
    width = part_of(config, 'feature_projection_input_dim', 'input_feat_per_channel')
    if width:
        return [Input('input_features', 'float32', ['batch', usual_frames, width])]
    return [Input('input_features', 'float32', ['batch', bins, 2 * positions])] if bins and positions else []


def series(model, _):
    length, channels = part_of(model.config, 'context_length'), part_of(model.config, 'num_input_channels')
    return [Input('past_values', 'float32', ['batch', length, channels])] if length and channels else []


# By the name of what a model reads: what makes its inputs, with their masks; nothing where the config does not tell their sizes.
known = {'input_ids': token_ids, 'pixel_values': pixels, 'input_values': sound, 'input_features': features, 'past_values': series}
