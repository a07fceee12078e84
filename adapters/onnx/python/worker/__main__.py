"""attnswap's worker for Python runtimes of ONNX models: `worker openvino`, `worker onnxruntime`. adapters/PROTOCOL.md."""
import os
import sys

# The loop of questions and answers is the PyTorch worker's; it needs no PyTorch.
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', '..', 'torch', 'worker'))
from attnswap_torch.loop import serve


def answers():
    """What the runtime that the command names answers."""
    from attnswap_graphs.answers import Answers  # Imports the runtime, which may print.

    return Answers(sys.argv[1])


serve(answers)
