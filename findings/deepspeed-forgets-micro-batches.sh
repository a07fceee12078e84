#!/usr/bin/env bash
# One would guess that DeepSpeed adds up the gradients of several engine.backward(loss) before engine.step(), whatever computed the losses.
# ZeRO stage 3 notices that a micro-batch is over when the engine itself is called forward. Where the module is called instead (engine.module(x),
# a method of it, or a part of it), each backward overwrites the gradients of the one before, without a word: the step is that of the last micro-batch.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check torch==2.15.0 numpy==2.4.6 setuptools wheel
DS_BUILD_OPS=0 DS_ACCELERATOR=cpu "$folder/venv/bin/pip" install -q --disable-pip-version-check --no-build-isolation deepspeed==0.19.8
cat > "$folder/run.py" <<'PY'
import os
import torch

os.environ.update(RANK='0', LOCAL_RANK='0', WORLD_SIZE='1', LOCAL_SIZE='1', MASTER_ADDR='127.0.0.1', MASTER_PORT='0', DS_ACCELERATOR='cpu')
import deepspeed
from deepspeed.utils import safe_get_full_grad

torch.distributed.init_process_group('gloo', store=torch.distributed.HashStore(), rank=0, world_size=1)
deepspeed.ops.__compatible_ops__['deepspeed_shm_comm'] = False  # Else it compiles C++ first.
deepspeed.init_distributed(dist_backend='gloo', auto_mpi_discovery=False)


def share_kept(stage, call):
    """The gradient after three micro-batches of ones, each of which has a gradient of ones."""
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 1, bias=False)
    config = {'train_micro_batch_size_per_gpu': 1, 'gradient_accumulation_steps': 3, 'zero_optimization': {'stage': stage}, 'zero_allow_untested_optimizer': True}
    engine = deepspeed.initialize(model=model, optimizer=torch.optim.AdamW(model.parameters()), config=config)[0]
    for place in range(3):
        engine.backward(call(engine)(torch.ones(1, 4)).sum())
        if place < 2:
            engine.step()  # As documented: it counts micro-batches, and steps after the third.
    return float(safe_get_full_grad(engine.module.weight).mean())


print('deepspeed', deepspeed.__version__, 'torch', torch.__version__)
kept = {}
for stage in (2, 3):
    for name, call in (('engine(x)', lambda engine: engine), ('engine.module(x)', lambda engine: engine.module)):
        kept[stage, name] = share_kept(stage, call)
        print(f'ZeRO stage {stage}, {name}: a gradient of {kept[stage, name]:.3g}, where the mean of three equal micro-batches is 1')
expected = {(2, 'engine(x)'): 1, (2, 'engine.module(x)'): 1, (3, 'engine(x)'): 1, (3, 'engine.module(x)'): 1 / 3}
raise SystemExit(0 if all(abs(kept[each] - expected[each]) < 1e-6 for each in expected) else 1)
PY
"$folder/venv/bin/python" "$folder/run.py" 2>&1 | grep -v WARNING || { echo 'this has changed' >&2; exit 1; }
