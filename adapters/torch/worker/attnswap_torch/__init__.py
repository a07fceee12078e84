"""Attention kernels in PyTorch, measured where they run. Runs from PyTorch 1.13 on: features are looked for, versions never asked."""
