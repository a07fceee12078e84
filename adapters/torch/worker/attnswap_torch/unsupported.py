"""What a kernel says where it is not to be had."""


class Unsupported(Exception):
    """A kernel, shape or dtype that is not supported, with the reason: never a silent fallback."""
