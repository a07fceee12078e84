"""Gates that belong to queries, whatever the keys: a closed query is not computed where `sparsity` says how many there are."""
import math

from ..torch_import import torch
from .dense import attend
from .gate import closed_by_count, open_counts, project_queries
from .kernel import Kernel
from .tiles import over_query_tiles


def queries(inputs):
    """Dense attention of the open queries, times their gate before (`query`: it scales the logits) or after (`output`)."""
    form, tau = inputs.parameters['form'], inputs.parameters.get('tau')
    open_of = open_counts(inputs, inputs.queries)
    count = inputs.queries if open_of is None else open_of[inputs.queries]

    def body(tile, keys, values, hidden, _):
        return attend(inputs, tile, keys, values, hidden)

    def attended(query, key, value, gates):
        gate = torch.sigmoid(gates)
        given = query * gate if form == 'query' else query
        output = over_query_tiles(inputs, given * inputs.scale, key, value, body, last=query.shape[2])
        output = output * gate if form == 'output' else output
        return output if tau is None else output.masked_fill(gate < tau, 0)

    def run(query, key, value):
        gates = query_gates(inputs, query)
        if count == inputs.queries:
            return attended(query, key, value, gates)
        index = open_queries(gates, count)
        output = attended(query.gather(2, index.expand(-1, -1, -1, query.shape[-1])), key, value, gates.gather(2, index))
        return torch.zeros_like(query).scatter(2, index.expand_as(output), output)

    return Kernel(run)


def query_gates(inputs, query):
    """γ of each query [B, heads, n, 1]."""
    projected = project_queries(inputs, query)
    return projected.sum(-1, keepdim=True) / math.sqrt(projected.shape[-1]) + inputs.gate_b.to(query.dtype).view(1, -1, 1, 1)


def open_queries(gates, count):
    """The `count` most open queries of each head [B, heads, count, 1], in order."""
    rows = gates.detach().transpose(2, 3)
    closed = closed_by_count(rows, torch.full((1,), count, device=gates.device), count)
    return (~closed).nonzero()[:, -1].view(*gates.shape[:2], count, 1)
