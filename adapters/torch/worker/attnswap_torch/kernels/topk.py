"""The k largest logits of each row, or a share of them."""
from ..torch_import import torch
from .kernel import Kernel
from .products import hide, score, weigh, zero_empty
from .selection import largest, shares
from .tiles import over_query_tiles
from .visible import bias_of, with_bias


def tiled(inputs, _):
    """Tiles of queries: all logits of a tile, its topk, then the kept values alone."""
    keep = inputs.parameters.get('keep')
    kept_of = None if keep is None else shares(keep, inputs.keys)
    table = None if keep is None else torch.tensor(kept_of, device=inputs.device)

    def body(query, key, value, hidden, start):
        bias = bias_of(inputs, start, start + query.shape[2], key.shape[2])
        logits, hidden = with_bias(score(query, key), hidden, bias)
        logits = hide(logits, hidden)
        if table is None:
            most = min(inputs.parameters['k'], logits.shape[-1])
            counts = torch.tensor([[most]], device=inputs.device)
        else:
            keys = logits.shape[-1]
            counts, most = table[visible_keys(hidden, keys, inputs.device)], kept_of[keys]
        index, kept = largest(logits.detach(), counts, most)
        output = attend_kept(logits, index, None if table is None else ~kept, value)
        return zero_empty(output, hidden, inputs.rows_may_be_empty)

    return Kernel(lambda query, key, value: over_query_tiles(inputs, query * inputs.scale, key, value, body))


def visible_keys(hidden, keys, device):
    """How many of `keys` each row may see: int64, broadcasts to [batch, 1, t, 1]."""
    return torch.tensor([[keys]], device=device) if hidden is None else keys - hidden.sum(-1, keepdim=True)


def attend_kept(logits, index, dropped, value):
    """softmax over the kept logits times their values: logits [B, heads, t, m], index, dropped [B, heads, t, kept] → [B, heads, t, d]."""
    weight = torch.softmax(hide(logits.gather(-1, index), dropped), -1)
    if 4 * index.shape[-1] > logits.shape[-1]:
        return weigh(torch.zeros_like(logits).scatter(-1, index, weight), value)
    return weigh_gathered(weight, index, value)


def weigh_gathered(weight, index, value):
    """Σ weight·value[index] without writing the gathered values out where the operator serves the dtype."""
    batch, heads, rows, kept = index.shape
    kv_heads, keys, dim = value.shape[1:]
    head = torch.arange(heads, device=index.device) // (heads // kv_heads)
    first = (torch.arange(batch, device=index.device)[:, None] * kv_heads + head)[:, :, None, None] * keys
    table, bags, weights = value.reshape(-1, dim), (index + first).reshape(-1, kept), weight.reshape(-1, kept)
    if value.dtype == torch.float32:
        output = torch.nn.functional.embedding_bag(bags, table, per_sample_weights=weights, mode='sum')
    else:
        output = (weights[:, None] @ table.index_select(0, bags.view(-1)).view(-1, kept, dim)).squeeze(1)
    return output.view(batch, heads, rows, dim)
