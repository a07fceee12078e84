"""The learned gate: γ = (q U)·(k W)/√rank + b, and what it does to a logit."""
import math

from ..torch_import import torch
from .selection import decimal, largest, shares


def project_queries(inputs, query):
    """query [B, heads, t, d] times U: [B, heads, t, rank]."""
    return query @ inputs.gate_u.to(query.dtype)


def project_keys(inputs, key):
    """key [B, kvHeads, m, d] times the W of every query head: [B, heads, m, rank]. Keys are not copied."""
    heads, dim, rank = inputs.gate_w.shape
    matrices = inputs.gate_w.to(key.dtype).view(inputs.kv_heads, inputs.group, dim, rank).transpose(1, 2).reshape(inputs.kv_heads, dim, -1)
    projected = (key @ matrices).view(inputs.batch, inputs.kv_heads, -1, inputs.group, rank)
    return projected.transpose(2, 3).reshape(inputs.batch, heads, -1, rank)


def gate_logits(inputs, queries, keys):
    """γ of projected queries [B, heads, t, rank] and keys [B, heads, m, rank]: [B, heads, t, m]."""
    bias = inputs.gate_b.to(queries.dtype).view(1, -1, 1, 1)
    return (queries / math.sqrt(queries.shape[-1])) @ keys.transpose(-1, -2) + bias


def corrector(inputs):
    """correct(logits, γ): s·sigmoid(γ), or s + ln sigmoid(γ)."""
    if inputs.parameters.get('form', 'multiply') == 'log':
        return lambda logits, gate: logits + torch.nn.functional.logsigmoid(gate).to(logits.dtype)
    return lambda logits, gate: logits * torch.sigmoid(gate).to(logits.dtype)


def open_counts(inputs, most):
    """How many of 0 … most gates `sparsity` keeps, a list; None where all stay, or `tau` decides."""
    sparsity = inputs.parameters.get('sparsity', 0)
    return None if 'tau' in inputs.parameters or sparsity == 0 else shares(1 - decimal(sparsity), most)


def closed_by_count(gates, counts, most):
    """What the `counts` largest gates of each row leave out: bool [..., t, m]."""
    index, kept = largest(gates, counts, most)
    return torch.ones_like(gates, dtype=torch.bool).scatter(-1, index, ~kept)


def closed_by_threshold(gates, tau, hidden):
    """What `tau` leaves out: bool [..., t, m]. Where no visible gate is open the largest stays, of equals the lowest."""
    closed = torch.sigmoid(gates) < tau
    if hidden is not None:
        closed = closed | hidden
    shut = closed.all(-1, keepdim=True)
    at_most = gates == gates.amax(-1, keepdim=True)
    lowest = at_most & (at_most.cumsum(-1) == 1)
    return torch.where(shut, ~lowest, closed)
