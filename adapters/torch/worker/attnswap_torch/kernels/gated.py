"""Attention with a learned gate: pair by pair in tiles, block by block, or query by query."""
from ..torch_import import torch
from . import gated_blocks, gated_queries
from .gate import closed_by_count, closed_by_threshold, corrector, gate_logits, open_counts, project_keys, project_queries
from .kernel import Kernel
from .products import hide, score, weigh, zero_empty
from .tiles import over_query_tiles
from .topk import visible_keys


def tiled(inputs, backward):
    """Tiles of queries where every pair has its gate; the kept blocks alone where a block has one; the open queries where they have."""
    if inputs.gate_u is None:
        raise ValueError('gated without gate tensors')
    if inputs.parameters.get('form') in ('query', 'output'):
        return gated_queries.queries(inputs)
    return Kernel(pairs(inputs)) if inputs.parameters['block'] == 1 else gated_blocks.blocks(inputs, backward)


def pairs(inputs):
    """The gate of every pair."""
    correct = corrector(inputs)
    select = selector(inputs)

    def run(query, key, value):
        gate_queries, gate_keys = project_queries(inputs, query), project_keys(inputs, key)

        def body(tile, keys, values, hidden, start):
            rows = gate_queries[:, :, start : start + tile.shape[2]]
            gates = gate_logits(inputs, rows, gate_keys[:, :, : keys.shape[2]])
            closed = select(gates.detach(), hidden)
            weight = torch.softmax(hide(correct(score(tile, keys), gates), closed), -1)
            return zero_empty(weigh(weight, values), hidden, inputs.rows_may_be_empty)

        return over_query_tiles(inputs, query * inputs.scale, key, value, body)

    return run


def selector(inputs):
    """
    select(gates [B, heads, t, m], hidden): which pairs of a tile are left out, hidden ones among them: bool, broadcasts to the
    gates; None where none is.
    """
    tau = inputs.parameters.get('tau')
    open_of = open_counts(inputs, inputs.keys)
    table = None if open_of is None else torch.tensor(open_of, device=inputs.device)

    def select(gates, hidden):
        if tau is None and table is None:
            return hidden
        gates = gates if hidden is None else gates.masked_fill(hidden, torch.finfo(gates.dtype).min)
        if tau is not None:
            return closed_by_threshold(gates, tau, hidden)
        keys = gates.shape[-1]
        return closed_by_count(gates, table[visible_keys(hidden, keys, gates.device)], open_of[keys])

    return select
