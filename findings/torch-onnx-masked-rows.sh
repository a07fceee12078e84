#!/usr/bin/env bash
# One would guess that torch.onnx.export keeps what PyTorch gives for a query whose keys are all masked, which is 0, or that no choice of opset changes it.
# At the default opset a boolean mask is written as the least finite number: such a query gets the mean of all values, masked ones as well; a mask
# of 0 and -inf gives NaN. From opset 23 on, where the Attention operator is written, both give 0 in ONNX Runtime. Nothing is said.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check torch==2.15.0 onnxscript==0.7.2 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
cat > "$folder/run.py" <<'PY'
import logging, math, warnings
import numpy as np, onnx, onnxruntime as ort, torch
from torch.nn.functional import scaled_dot_product_attention

warnings.filterwarnings('ignore')
logging.disable(logging.WARNING)
torch.manual_seed(0)
print('torch', torch.__version__, 'onnxruntime', ort.__version__, 'onnx', onnx.__version__)
query, key, value = torch.randn(3, 1, 2, 4, 8)
kept = torch.ones(1, 1, 4, 4, dtype=torch.bool)
kept[:, :, 1] = False


class Attention(torch.nn.Module):
    def forward(self, query, key, value, mask):
        return scaled_dot_product_attention(query, key, value, mask)


def row(inputs, **more):
    """What the query without keys gets, and the opset."""
    model = torch.onnx.export(Attention(), inputs, dynamo=True, verbose=False, **more).model_proto
    session = ort.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider'])
    output = session.run(None, {slot.name: each.numpy() for slot, each in zip(session.get_inputs(), inputs)})[0]
    return output[0, 0, 1], next(each.version for each in model.opset_import if not each.domain)


mean = value[0, 0].mean(0).numpy()
name = lambda row: 'NaN' if np.isnan(row).all() else 'zeros' if (row == 0).all() else 'the mean of all values' if np.allclose(row, mean, atol=1e-5) else str(row)
seen = {}
for kind, mask in (('boolean mask', kept), ('mask of 0 and -inf', torch.zeros(kept.shape).masked_fill(~kept, -math.inf))):
    inputs = query, key, value, mask
    plain, default = row(inputs)
    later, _ = row(inputs, opset_version=23)
    seen[kind] = [name(each) for each in (Attention()(*inputs)[0, 0, 1].numpy(), plain, later)]
    print(f'{kind}: PyTorch gives {seen[kind][0]}, the model of opset {default} (default) {seen[kind][1]}, of opset 23 {seen[kind][2]}')
raise SystemExit(0 if list(seen.values()) == [['zeros', 'the mean of all values', 'zeros'], ['zeros', 'NaN', 'zeros']] else 1)
PY
"$folder/venv/bin/python" "$folder/run.py" 2>/dev/null || { echo 'this has changed' >&2; exit 1; }
