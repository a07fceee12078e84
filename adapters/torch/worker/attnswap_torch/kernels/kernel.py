"""A kernel that is ready for its inputs."""


class Kernel:
    """
    run(q, k, v) gives o [batch, heads, queries, headDim]. flags: what a reader of its figures should know. tried: whether only
    a call tells if PyTorch serves it. compiled: whether torch.compile made it. logits: whether it did so out of code that writes logits.
    """

    def __init__(self, run, flags=(), tried=False, compiled=False, logits=False):
        self.run = run
        self.flags = list(flags)
        self.tried = tried
        self.compiled = compiled
        self.logits = logits
