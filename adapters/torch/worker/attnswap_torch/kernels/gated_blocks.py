"""One gate for all pairs of a block of queries and a block of keys: a dropped block costs nothing."""
from ..torch_import import torch
from .control import selecting
from .blocks import block_means, speaking_queries
from .gate import corrector, gate_logits, open_counts, project_keys, project_queries
from .kernel import Kernel
from .selected import Choice, Chosen, attend_chosen


def blocks(inputs, _):
    """The own block, uncorrected, and the most open others, gathered."""
    size = inputs.parameters['block']
    total = -(-inputs.keys // size)
    open_of = open_counts(inputs, total)
    table = None if open_of is None else torch.tensor(open_of, device=inputs.device)
    correct = corrector(inputs)
    neutral = float('inf')  # sigmoid is 1, its logarithm 0: the own block is not corrected.

    def run(query, key, value):
        mean, tokens = block_means(inputs, key, size)
        speakers, first = speaking_queries(inputs, query, size)
        gates = gate_logits(inputs, project_queries(inputs, speakers), project_keys(inputs, mean))
        with torch.no_grad():
            order, counts, own = ranked(inputs, gates.detach(), tokens, first, table)
        most = max(1, int(counts.max())) if 'tau' in inputs.parameters else total

        def widest(last):
            others = last if inputs.causal else total - 1
            return min(most, 1 + (others if open_of is None else open_of[others]))

        def choose(start, stop, width):
            index = order[:, :, start:stop, :width]
            kept = torch.arange(width, device=inputs.device) < counts[:, :, start:stop]
            gate = gates[:, :, start:stop].gather(-1, index).masked_fill(index == own[start:stop], neutral)
            return Chosen(index, kept, gate)

        return attend_chosen(inputs, query, key, value, Choice(choose, widest, correct), size)

    return Kernel(run)


def ranked(inputs, gates, tokens, first, table):
    """
    Key blocks in falling order of γ, the own block foremost; how many of them each query block keeps [B, heads, query blocks, 1];
    and the query blocks' own indices [query blocks, 1]. gates [B, heads, query blocks, key blocks].
    """
    own = torch.arange(first, first + gates.shape[2], device=gates.device)[:, None]
    block = torch.arange(gates.shape[3], device=gates.device)
    others = ((tokens > 0)[:, None, None, :] & (block != own)).expand(-1, 1, -1, -1)
    if inputs.causal:
        others = others & (block < own)
    ranks = gates.masked_fill(~others, float('-inf')).masked_fill(block == own, float('inf'))
    order = torch.sort(selecting(ranks), descending=True, stable=True).indices
    if 'tau' in inputs.parameters:
        counts = (others & (torch.sigmoid(gates) >= inputs.parameters['tau'])).sum(-1, keepdim=True)
    else:
        counts = others.sum(-1, keepdim=True)
        counts = counts if table is None else table[counts]
    return order, (counts + 1).expand(*gates.shape[:3], 1), own
