"""PyTorch, or why it is not there. The only place that imports it by name, so that the worker starts without it."""
import sys

try:
    import torch
    problem = None
except Exception as error:  # A missing library of CUDA is an OSError, or a ValueError.
    torch = None
    words = ' '.join(str(error).split())[:300]
    problem = f'{sys.executable} cannot import torch: {type(error).__name__}: {words}'
