"""Windows over a grid of tokens: boxes of queries against the boxes of keys that their windows cover."""
import itertools
import math

from ..torch_import import torch
from ..unsupported import Unsupported
from .blocks import chunk_of
from .dense import attend
from .kernel import Kernel
from .tiles import over_query_tiles, recomputed
from .window import one_chunk

# What a box costs beside its products, in rows and columns, as adapters/torch/scored-pairs.ts counts it.
overhead = 16


def tiled(inputs, _):
    """Boxes in batched products; rows of the globals apart. Raises Unsupported."""
    sizes, windows, global_count, past = read(inputs.parameters)
    tokens = global_count + math.prod(sizes)
    if inputs.queries != tokens or inputs.keys != tokens:
        both = f'{counted(inputs.queries, "query", "queries")} and {counted(inputs.keys, "key", "keys")}'
        found = counted(inputs.keys, 'token', 'tokens') if inputs.queries == inputs.keys else both
        of = f'{global_count} + {tokens - global_count} tokens of globals={global_count} and' if global_count > 0 else f'{tokens} tokens of'
        raise Unsupported(f'grid-window: {found}, expected the {of} grid={inputs.parameters["grid"]}')
    boxes = Boxes(inputs, sizes, windows, global_count, past)

    def run(query, key, value):
        query = query * inputs.scale
        output = boxes.attend(query, key, value)
        if global_count == 0:
            return output
        body = lambda tile, keys, values, hidden, _: attend(inputs, tile, keys, values, hidden)
        return torch.cat([over_query_tiles(inputs, query, key, value, body, 0, global_count), output], 2)

    return Kernel(run)


def counted(count, one, many):
    return f'{count} {one if count == 1 else many}'


def read(parameters):
    """Sizes of the grid, extents of the window, how many tokens stand before the grid, and whether the first axis looks back only."""
    sizes = [int(size) for size in parameters['grid'].split('x')]
    w = parameters['w']
    windows = [int(w)] * len(sizes) if not isinstance(w, str) else [int(part) for part in w.split('x')]
    return sizes, [min(pair) for pair in zip(windows, sizes)], parameters['globals'], parameters['time'] == 'past'


class Axis:
    """One axis cut into tiles of `extent` queries, each with `span` keys; the last one begins earlier where they do not divide it."""

    def __init__(self, size, w, past, extent):
        self.size, self.w, self.past, self.extent = size, w, past, extent
        self.before = w - 1 if past else w // 2
        self.span = min(size, extent + w - 1)
        self.tiles = -(-size // extent)
        self.starts = [min(tile * extent, size - extent) for tile in range(self.tiles)]
        self.first_keys = [min(max(0, start - self.before), size - self.span) for start in self.starts]

    def hidden(self, device):
        """Which keys of each tile its queries do not see: bool [tiles, extent, span]."""
        query = torch.tensor(self.starts, device=device)[:, None, None] + torch.arange(self.extent, device=device)[:, None]
        key = torch.tensor(self.first_keys, device=device)[:, None, None] + torch.arange(self.span, device=device)
        start = (query - self.before).clamp(min=0)
        if self.past:
            return (key < start) | (key > query)
        start = start.clamp(max=self.size - self.w)
        return (key < start) | (key >= start + self.w)


def cut(sizes, windows, past):
    """The axes in the extents that cost least: see gridTiles in src/variants/grid-window/tiles.ts."""
    options = []
    for at, (size, w) in enumerate(zip(sizes, windows)):
        extents = sorted({-(-size // count) for count in range(1, size + 1)}, reverse=True)
        options.append([Axis(size, w, past and at == 0, extent) for extent in extents])

    def cost(axes):
        count, rows, columns = (math.prod(getattr(axis, part) for axis in axes) for part in ('tiles', 'extent', 'span'))
        return count * (rows + overhead) * (columns + overhead)

    return min(itertools.product(*options), key=cost)


class Boxes:
    """The boxes of a grid, with the tokens that they read and what these hide from each other."""

    def __init__(self, inputs, sizes, windows, global_count, past):
        self.inputs, self.global_count = inputs, global_count
        self.axes = cut(sizes, windows, past)
        device = inputs.device
        strides = [math.prod(sizes[axis + 1 :]) for axis in range(len(sizes))]
        self.rows = self.tokens('starts', 'extent', strides)
        self.columns = self.tokens('first_keys', 'span', strides)
        # Where each token of the grid is among the rows of all boxes; of one that two boxes hold, either is right.
        order = torch.empty(math.prod(sizes), dtype=torch.long, device=device)
        order[self.rows.view(-1) - global_count] = torch.arange(self.rows.numel(), device=device)
        self.order = order
        self.along = [axis.hidden(device) for axis in self.axes]
        counts = [axis.tiles for axis in self.axes]
        box = torch.arange(math.prod(counts), device=device)
        self.tile = [box // math.prod(counts[axis + 1 :]) % count for axis, count in enumerate(counts)]

    def tokens(self, first, extent, strides):
        """Tokens of each box, row by row: int64 [boxes, tokens of a box]."""
        device = self.inputs.device
        token = torch.full((1, 1), self.global_count, device=device)
        for axis, stride in zip(self.axes, strides):
            starts = torch.tensor(getattr(axis, first), device=device) * stride
            offsets = torch.arange(getattr(axis, extent), device=device) * stride
            token = (token[:, None, :, None] + starts[:, None, None] + offsets).flatten(2).flatten(0, 1)
        return token

    def hidden(self, boxes):
        """What each row may not see of global keys and span: bool [1 or batch, 1, boxes, rows, globals + columns]."""
        inputs = self.inputs
        columns = self.columns[boxes]
        hidden = torch.zeros(1, 1, 1, dtype=torch.bool, device=inputs.device)
        for along, tile in zip(self.along, self.tile):
            hidden = (hidden[:, :, None, :, None] | along[tile[boxes]][:, None, :, None, :]).flatten(3).flatten(1, 2)
        if inputs.causal:
            hidden = hidden | (columns[:, None, :] > self.rows[boxes][:, :, None])
        hidden = torch.nn.functional.pad(hidden, (self.global_count, 0), value=False)[None, None]
        if inputs.padding is None:
            return hidden
        always = torch.arange(self.global_count, device=inputs.device).expand(columns.shape[0], -1)
        return hidden | inputs.padding[:, torch.cat([always, columns], -1)][:, None, :, None]

    def attend(self, query, key, value):
        """The grid's rows, query already scaled: [B, heads, tokens of the grid, d]."""
        count, rows = self.rows.shape
        chunk = chunk_of(self.inputs, rows, self.columns.shape[1] + self.global_count)
        outputs = []
        for start in range(0, count, chunk):
            boxes = slice(start, start + chunk)
            index = self.rows[boxes]
            tile = query.index_select(2, index.reshape(-1)).view(*query.shape[:2], *index.shape, query.shape[-1])
            body = one_chunk(self.inputs, self.columns[boxes], self.hidden(boxes), self.global_count)
            outputs.append(recomputed(body, tile, key, value))
        joined = outputs[0] if len(outputs) == 1 else torch.cat(outputs, 2)
        return joined.flatten(2, 3).index_select(2, self.order)
