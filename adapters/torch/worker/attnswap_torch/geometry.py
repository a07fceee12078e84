"""Sizes that follow from a call's own."""


class Geometry:
    """Of batch, heads, kv_heads, queries, keys, head_dim, causal and padding."""

    # Keys before and after its own that a query sees, in models; what is added to the logits, which broadcasts to [batch, heads, queries, keys].
    window = bias = None

    @property
    def offset(self):
        """The position of query 0 on the keys' axis."""
        return self.keys - self.queries

    @property
    def group(self):
        """Query heads that read one key/value head."""
        return self.heads // self.kv_heads

    @property
    def rows_may_be_empty(self):
        """Whether there may be a query that sees no key."""
        return self.padding is not None or self.bias is not None or (self.causal and self.offset < 0)

    @property
    def output_shape(self):
        """[batch, heads, queries, headDim]."""
        return (self.batch, self.heads, self.queries, self.head_dim)
