"""The model, its gradients and the optimizer's state sharded by DeepSpeed's ZeRO stage 3."""
import os
import sys

from ..torch_import import torch
from ..training.optimizer import Optimizer, moments
from ..unsupported import Unsupported
from .ranks import Group

settings = {
    'train_micro_batch_size_per_gpu': 1,
    # AdamW of PyTorch, as in one process: DeepSpeed's own would be compiled here.
    'zero_allow_untested_optimizer': True,
    # Every training sets its own.
    'gradient_clipping': 1.0,
    'zero_optimization': {
        'stage': 3,
        # All parameters are sharded, the small ones too, and gathered for the module that is about to run alone.
        'stage3_param_persistence_threshold': 0,
        'stage3_max_reuse_distance': 0,
        'stage3_prefetch_bucket_size': 0,
        # By default, each rank sets aside a buffer of 5e8 numbers for gradients.
        'contiguous_gradients': False,
        'reduce_bucket_size': 2**22,
    },
}


class Zero(Group):
    """One rank of several, in a DeepSpeed engine."""

    def __init__(self, given, device):
        # It asks the environment what a launcher would have set; on processors, the ranks of this machine are its devices.
        places = {'RANK': given['rank'], 'LOCAL_RANK': given['rank'], 'WORLD_SIZE': given['ranks'], 'LOCAL_SIZE': given['ranks']}
        os.environ.update({name: str(value) for name, value in places.items()})
        os.environ['DS_ACCELERATOR'] = device.type
        deepspeed = imported()
        super().__init__(given, device)
        self.engine = None
        # Else it compiles C++ as it starts, for a call that training does not make.
        deepspeed.ops.__compatible_ops__['deepspeed_shm_comm'] = False
        deepspeed.init_distributed(dist_backend=torch.distributed.get_backend(), auto_mpi_discovery=False, verbose=False)
        backend = deepspeed.comm.comm.cdb
        for name in ('all_gather_into_tensor', 'all_gather_coalesced', 'reduce_scatter_tensor'):
            setattr(backend, name, timed(self.clock, getattr(backend, name)))

    def share_out(self, work, _run):
        import deepspeed

        trained = dict(enumerate(weight for weight in work.parameters() if weight.requires_grad))
        adam = Optimizer(trained, {'learningRate': 0.0, 'weightDecay': 0.0}).adam
        self.engine = deepspeed.initialize(model=work, optimizer=adam, config=settings)[0]

    def optimizer(self, weights, options):
        return ZeroOptimizer(self.engine, weights, options)

    def backward(self, lose, last):
        self.engine.set_gradient_accumulation_boundary(last)
        self.work.lose = lose
        loss = self.engine()
        self.engine.backward(loss)
        return loss.detach()


class ZeroOptimizer(Optimizer):
    """AdamW on this rank's shares, with the interface of one process's."""

    def __init__(self, engine, weights, options):
        self.weights, self.options, self.step_number = weights, options, 0
        self.engine, self.zero, self.adam = engine, engine.optimizer, engine.optimizer.optimizer
        self.zero.clip_grad = options['clip']
        for group in self.adam.param_groups:
            group['weight_decay'] = options['weightDecay']
        # The engine trains a flat copy of the shares.
        self.zero.refresh_fp32_params()
        for flat in self.zero.fp32_partitioned_groups_flat:
            self.adam.state[flat] = {'step': torch.tensor(0.0), **{moment: torch.zeros_like(flat) for moment in moments}}

    def clear(self):
        """Nothing is left of the last step."""

    def descend(self):
        for group in self.adam.param_groups:
            group['lr'] = self.learning_rate()
        self.engine.step()
        if not self.engine.was_step_applied():
            raise ValueError('gradients are not finite: a lower learning rate may help')
        self.step_number += 1
        return float(self.engine.get_global_grad_norm())

    def moment(self, weight, moment):
        from deepspeed.utils import safe_get_full_optimizer_state

        return safe_get_full_optimizer_state(weight, moment)

    def restore(self, tensors):
        from deepspeed.utils import safe_set_local_optimizer_state

        self.step_number = int(tensors['step'][0])
        for flat in self.zero.fp32_partitioned_groups_flat:
            self.adam.state[flat]['step'].fill_(self.step_number)
        for name, weight in self.weights.items():
            for moment in moments:
                if f'{moment}/{name}' in tensors:
                    safe_set_local_optimizer_state(weight, tensors[f'{moment}/{name}'], moment)

    def held(self):
        """The copies that the engine trains are the optimizer's, too: what is called is another."""
        own = {flat.data_ptr() for flat in self.zero.fp16_partitioned_groups_flat}
        copies = [flat for flat in self.zero.fp32_partitioned_groups_flat if flat.data_ptr() not in own]
        return [*super().held(), *copies]

    def gradients(self):
        return [self.zero.grad_partitions_flat_buffer]


class Handle:
    """What a call that goes on in the background left, the time of waiting for it added."""

    def __init__(self, clock, handle):
        self.clock, self.handle = clock, handle

    def wait(self):
        return self.clock.time(self.handle.wait)

    def __getattr__(self, name):
        return getattr(self.handle, name)


def timed(clock, call):
    """The same call, its time added to a clock."""

    def run(*args, **named):
        handle = clock.time(lambda: call(*args, **named))
        return None if handle is None else Handle(clock, handle)

    return run


def imported():
    """DeepSpeed, with all that is asked of it. Raises Unsupported."""
    command = f'{sys.executable} -m pip install deepspeed'
    try:
        import deepspeed
        from deepspeed.comm.torch import TorchBackend
        from deepspeed.runtime.zero.stage3 import DeepSpeedZeroOptimizer_Stage3
    except ModuleNotFoundError as error:
        raise Unsupported(f'{sys.executable} has no DeepSpeed ({error}): {command}') from None
    except Exception as error:
        raise Unsupported(f'{sys.executable} cannot import DeepSpeed: {type(error).__name__}: {error}') from None
    needed = [
        (deepspeed.utils, ('safe_get_full_fp32_param', 'safe_get_full_optimizer_state', 'safe_set_local_optimizer_state')),
        (getattr(deepspeed, 'DeepSpeedEngine', None), ('set_gradient_accumulation_boundary', 'was_step_applied', 'get_global_grad_norm')),
        (DeepSpeedZeroOptimizer_Stage3, ('refresh_fp32_params',)),
        (TorchBackend, ('all_gather_into_tensor', 'all_gather_coalesced', 'reduce_scatter_tensor')),
    ]
    lacking = [name for owner, names in needed for name in names if not hasattr(owner, name)]
    if lacking:
        raise Unsupported(f'DeepSpeed {deepspeed.__version__} has no {lacking[0]}, which --deepspeed needs: {command} --upgrade')
    return deepspeed


def piece(values, weight):
    """This rank's share of all of a weight's values: flat, and padded as DeepSpeed pads it."""
    count = weight.ds_tensor.numel()
    flat = torch.zeros(count * weight.ds_zero_partition_world_size, dtype=values.dtype, device=values.device)
    flat[: values.numel()] = values.flatten()
    return flat.narrow(0, count * weight.ds_zero_partition_rank, count)


def gathered(weight):
    """All of a trained weight."""
    from deepspeed.utils import safe_get_full_fp32_param

    return safe_get_full_fp32_param(weight)
