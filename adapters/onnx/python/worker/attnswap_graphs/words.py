"""Words: what a runtime says where it does not serve a kernel, what ran, and what a question asks for."""
import os


class Unsupported(Exception):
    """A kernel, shape, device or precision that is not supported, with the reason: never a silent fallback."""


def first_words(error):
    """What an exception says, on one line."""
    return ' '.join(str(error).split())[:600]


def counted(operators):
    """Operators with their calls, such as `TopK ×3`."""
    return ', '.join(f'{told["operator"]} ×{told["calls"]}' for told in operators)


def threads_of(question):
    """The threads that a question asks for, or else those that a CPU quota feeds, as attnswap tells; None where the runtime decides."""
    threads = question.get('threads') or os.environ.get('ATTNSWAP_QUOTA_THREADS')
    return None if threads is None else int(threads)
