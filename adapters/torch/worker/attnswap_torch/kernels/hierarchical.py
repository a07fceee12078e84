"""Local, regional and global heads: near keys exactly, far ones as the means of their blocks."""
from ..torch_import import torch
from .blocks import block_means, chunk_of, from_blocks, hidden_in_blocks, key_blocks, query_blocks
from .kernel import Kernel
from .products import hide
from .tiles import recomputed
from .window import windowed


def batched(inputs, _):
    """Each level's heads in a few batched products."""
    local, region = inputs.parameters['local'], inputs.parameters['region']
    counts = deal(inputs.heads, [int(part) for part in inputs.parameters['ratio'].split(':')])

    def run(query, key, value):
        outputs, start = [], 0
        for level, count in enumerate(counts):
            if count == 0:
                continue
            stop = start + count
            given = (query[:, start:stop], heads_read(inputs, key, start, stop), heads_read(inputs, value, start, stop))
            if level == 0:
                outputs.append(windowed(inputs, *given, local, 0))
            else:
                outputs.append(Pooled(inputs, local if level == 1 else region, region, level == 1).attend(*given))
            start = stop
        return torch.cat(outputs, 1)

    return Kernel(run)


def deal(heads, ratio):
    """Heads of each level by largest remainder; where there are enough, each level of non-zero ratio gets one of the largest's."""
    total = sum(ratio)
    dealt = [heads * part // total for part in ratio]
    for level in sorted(range(3), key=lambda level: (-(heads * ratio[level] % total), level))[: heads - sum(dealt)]:
        dealt[level] += 1
    wanted = [level for level in range(3) if ratio[level] > 0]
    if heads >= len(wanted):
        for level in wanted:
            if dealt[level] == 0:
                dealt[max(range(3), key=lambda other: (dealt[other], other))] -= 1
                dealt[level] = 1
    return dealt


def heads_read(inputs, values, start, stop):
    """The key/value heads that query heads start … stop read: a view where they are whole groups, else one copy a query head."""
    if start % inputs.group == 0 and stop % inputs.group == 0:
        return values[:, start // inputs.group : stop // inputs.group]
    return values.index_select(1, torch.arange(start, stop, device=inputs.device) // inputs.group)


class Pooled:
    """Heads whose queries see their own block of `size` tokens exactly, other blocks as means; regions of `region` are taken at once."""

    def __init__(self, inputs, size, region, near):
        self.inputs, self.size, self.region = inputs, size, region
        self.per_region = region // size
        self.total = -(-inputs.keys // region) * self.per_region
        # A regional head sees the blocks of three regions, a global head all.
        self.near = near
        self.span = min(self.total, 3 * self.per_region) if near else self.total

    def attend(self, query, key, value):
        """query [B, heads, queries, d], key and value [B, kvHeads, keys, d] → [B, heads, queries, d]."""
        inputs = self.inputs
        blocks, first = query_blocks(inputs, query * inputs.scale, self.region)
        exact_keys, exact_values = self.exact(key), self.exact(value)
        (mean_keys, tokens), (mean_values, _) = self.means(key), self.means(value)
        hidden = hidden_in_blocks(inputs, self.region).view(-1, exact_keys.shape[2], self.per_region, self.size)
        chunk = chunk_of(inputs, self.region, self.size + self.span)
        outputs = []
        for start in range(0, blocks.shape[2], chunk):
            stop = min(blocks.shape[2], start + chunk)
            here = slice(first + start, first + stop)
            body = self.one_chunk(here, tokens, hidden[:, here])
            given = (blocks[:, :, start:stop], exact_keys[:, :, here], exact_values[:, :, here], mean_keys, mean_values)
            outputs.append(recomputed(body, *given))
        return from_blocks(inputs, outputs[0] if len(outputs) == 1 else torch.cat(outputs, 2), first)

    def exact(self, values):
        """[B, kvHeads, keys, d] → [B, kvHeads, regions, blocks of a region, size, d]."""
        blocks = key_blocks(self.inputs, values, self.region)
        return blocks.view(*blocks.shape[:3], self.per_region, self.size, blocks.shape[-1])

    def means(self, values):
        """Means [B, kvHeads, blocks, d] in the dtype, and tokens [1 or batch, blocks], of whole regions' blocks."""
        mean, tokens = block_means(self.inputs, values, self.size)
        lacking = self.total - mean.shape[2]
        pad = torch.nn.functional.pad
        return pad(mean, (0, 0, 0, lacking)).to(values.dtype), pad(tokens, (0, lacking))

    def one_chunk(self, here, tokens, hidden):
        """Attention of regions `here`, a function of their queries [B, heads, chunk, region, d], exact keys and values, and all means."""
        regions = torch.arange(here.start, here.stop, device=self.inputs.device)
        begin = (regions - 1).clamp(min=0) * self.per_region
        index = begin.clamp(max=self.total - self.span)[:, None] + torch.arange(self.span, device=regions.device)
        far, count = self.hidden_means(regions, index, tokens)
        near = self.hidden_exact(hidden)
        both = torch.cat([near, far.expand(*far.shape[:5], near.shape[5], -1)], -1)
        logarithm = count.clamp(min=1).log()[:, None, None, :, None, None]

        def body(query, keys, values, mean_keys, mean_values):
            groups = query.shape[1] // keys.shape[1]
            rows = self.fold(query, groups)
            exact = self.unfold(rows @ keys.transpose(-1, -2), groups)
            pooled = self.unfold(self.against_means(rows, mean_keys, index), groups)
            logits = torch.cat([exact, pooled + logarithm.to(pooled.dtype)], -1)
            weight = torch.softmax(hide(logits, both), -1)
            weight_exact, weight_pooled = self.refold(weight).split([self.size, self.span], -1)
            output = self.unfold(weight_exact @ values + self.of_means(weight_pooled, mean_values, index), groups)
            if self.inputs.rows_may_be_empty:
                output = output.masked_fill(both.all(-1, keepdim=True), 0)
            return output.flatten(1, 2).flatten(3, 4)

        return body

    def hidden_exact(self, hidden):
        """Of the own block: bool [1 or batch, 1, 1, chunk, blocks, size, size] from [1 or batch, chunk, blocks, size]."""
        places = hidden[:, None, None, :, :, None].expand(-1, -1, -1, -1, -1, self.size, -1)
        if not self.inputs.causal:
            return places
        row = torch.arange(self.size, device=hidden.device)
        return places | (row > row[:, None])

    def hidden_means(self, regions, index, tokens):
        """Of means at index [chunk, span]: bool [1 or batch, 1, 1, chunk, blocks, 1, span], and their tokens [1 or batch, chunk, span]."""
        own = regions[:, None] * self.per_region + torch.arange(self.per_region, device=regions.device)
        block, own = index[:, None, :], own[:, :, None]
        hidden = block >= own if self.inputs.causal else block == own
        if self.near:
            hidden = hidden | ((block // self.per_region - own // self.per_region).abs() > 1)
        count = tokens[:, index]
        hidden = hidden | (count == 0)[:, :, None]
        return hidden[:, None, None, :, :, None], count

    def fold(self, query, groups):
        """[B, heads, chunk, region, d] → [B, kvHeads, chunk, blocks, group·size, d]."""
        batch, heads, chunk, _, dim = query.shape
        return self.refold(query.view(batch, heads // groups, groups, chunk, self.per_region, self.size, dim))

    def refold(self, values):
        """[B, kvHeads, group, chunk, blocks, size, x] → [B, kvHeads, chunk, blocks, group·size, x]."""
        return values.permute(0, 1, 3, 4, 2, 5, 6).flatten(4, 5)

    def unfold(self, values, groups):
        """The reverse of `refold`."""
        return values.view(*values.shape[:4], groups, self.size, values.shape[-1]).permute(0, 1, 4, 2, 3, 5, 6)

    def against_means(self, rows, means, index):
        """rows [B, kvHeads, chunk, blocks, r, d] times the means at index [chunk, span]: [B, kvHeads, chunk, blocks, r, span]."""
        if not self.near:
            return (rows.flatten(2, 4) @ means.transpose(-1, -2)).view(*rows.shape[:5], -1)
        return (rows.flatten(3, 4) @ means[:, :, index].transpose(-1, -2)).view(*rows.shape[:5], -1)

    def of_means(self, weight, means, index):
        """weight [B, kvHeads, chunk, blocks, r, span] times the means at index: [B, kvHeads, chunk, blocks, r, d]."""
        if not self.near:
            return (weight.flatten(2, 4) @ means).view(*weight.shape[:5], -1)
        return (weight.flatten(3, 4) @ means[:, :, index]).view(*weight.shape[:5], -1)
