"""Attention kernels as ONNX models, in the runtimes that have a Python interface. One module per runtime; answers.py is what they share."""
