"""Words: what a runtime says where it does not serve a kernel, and what ran."""


class Unsupported(Exception):
    """A kernel, shape, device or precision that is not supported, with the reason: never a silent fallback."""


def first_words(error):
    """What an exception says, on one line."""
    return ' '.join(str(error).split())[:600]


def counted(operators):
    """Operators with their calls, such as `TopK ×3`."""
    return ', '.join(f'{told["operator"]} ×{told["calls"]}' for told in operators)
