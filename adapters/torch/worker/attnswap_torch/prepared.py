"""A kernel with its inputs in place."""
from . import safetensors_file
from .torch_import import torch


class Prepared:
    """One kernel, its inputs and what one call is. Results are not kept between calls: they would count as held memory."""

    def __init__(self, inputs, kernel, name, question):
        self.inputs = inputs
        self.kernel = kernel
        self.name = name
        self.memory_is_read = question.get('purpose') == 'memory'
        self.device = inputs.device
        backward = question.get('pass') == 'forward+backward'
        self.arguments = tuple(tensor.requires_grad_() if backward else tensor for tensor in (inputs.q, inputs.k, inputs.v))
        self.call = self.forward_backward if backward else self.forward_compiled if kernel.compiled else self.forward
        self.backward = backward

    def forward(self):
        """One call: o [batch, heads, queries, headDim]."""
        with torch.inference_mode():
            return self.kernel.run(*self.arguments)

    def forward_compiled(self):
        """As `forward`; code that torch.compile made does not take tensors of inference mode in every release."""
        with torch.no_grad():
            return self.kernel.run(*self.arguments)

    def forward_backward(self):
        """One call forward and backward: o, and the gradients with respect to q, k and v in their shapes."""
        output = self.kernel.run(*self.arguments)
        return (output, *torch.autograd.grad(output, self.arguments, self.inputs.output_gradient))

    def check(self, path):
        """One call, its results in a file."""
        result = self.call()
        names = ('o', 'dq', 'dk', 'dv')
        safetensors_file.write(path, dict(zip(names, result)) if self.backward else {'o': result})
