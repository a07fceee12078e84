"""What some steps of a training take of the process that runs them."""
import os
import time

from .. import device as devices
from ..torch_import import torch
from .ranks import bytes_of


class Cost:
    """Time, peak memory and time in communication, from entering it to `told`."""

    def __init__(self, opened):
        self.group, self.device = opened.group, opened.device

    def __enter__(self):
        devices.synchronize(self.device)
        self.reset_peak()
        self.communicated = self.group.communication_ns
        self.start = time.perf_counter_ns()
        return self

    def __exit__(self, *_):
        devices.synchronize(self.device)
        self.elapsed_ns = time.perf_counter_ns() - self.start

    def told(self, training):
        """As the protocol has it. Gradients are those of the last step."""
        trained = list(training.weights.values())
        own = {id(weight) for weight in trained}
        communicated = self.group.communication_ns
        return {
            'elapsedNs': self.elapsed_ns,
            'communicationNs': None if communicated is None else communicated - self.communicated,
            'peakBytes': self.peak(),
            'frozenBytes': bytes_of(each for each in training.model.parameters() if id(each) not in own),
            'trainedBytes': bytes_of(trained),
            'gradientBytes': bytes_of(training.optimizer.gradients()),
            'optimizerBytes': bytes_of(training.optimizer.held()),
        }

    def reset_peak(self):
        if self.device.type == 'cuda':
            torch.cuda.reset_peak_memory_stats(self.device)
        elif os.access('/proc/self/clear_refs', os.W_OK):
            with open('/proc/self/clear_refs', 'w', encoding='ascii') as file:
                file.write('5')

    def peak(self):
        """Of the device's allocator; on a processor of the whole process, None where the system does not tell."""
        if self.device.type == 'cuda':
            return torch.cuda.max_memory_allocated(self.device)
        if not os.access('/proc/self/status', os.R_OK):
            return None
        with open('/proc/self/status', encoding='utf-8') as file:
            return next((int(line.split()[1]) * 1024 for line in file if line.startswith('VmHWM:')), None)
