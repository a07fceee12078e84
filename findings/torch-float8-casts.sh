#!/usr/bin/env bash
# One would guess that PyTorch casts what a float8 type cannot hold in one way, as ml_dtypes (and with it JAX) does: to infinity, or NaN where there is none.
# In 2.15 float8_e4m3fn alone saturates: infinity becomes 448, a number like any other, so that a tensor that diverged passes a check for NaN and
# infinity after the cast. float8_e5m2 keeps infinity and e4m3fnuz gives NaN. In float8_e8m0fnu, the type of scales, which has no sign, −2 becomes 2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check torch==2.15.0 ml_dtypes==0.6.0 numpy==2.4.6
cat > "$folder/run.py" <<'PY'
import ml_dtypes, numpy as np, torch

print('torch', torch.__version__, 'ml_dtypes', ml_dtypes.__version__)
values = np.array([448, 500, -1000, np.inf, -np.inf, np.nan, -2], np.float32)
seen = {}
for kind in ('float8_e4m3fn', 'float8_e4m3fnuz', 'float8_e5m2', 'float8_e8m0fnu'):
    one = torch.from_numpy(values).to(getattr(torch, kind)).float().numpy()
    other = values.astype(getattr(ml_dtypes, kind)).astype(np.float32)
    print(f'{values.tolist()} in {kind}\n  torch     {one.tolist()}\n  ml_dtypes {other.tolist()}')
    seen[kind] = [float(value) for value, a, b in zip(values, one, other) if not np.array_equal(a, b, equal_nan=True)]
expected = {'float8_e4m3fn': [500, -1000, np.inf, -np.inf], 'float8_e4m3fnuz': [], 'float8_e5m2': [], 'float8_e8m0fnu': [-1000, -2]}
raise SystemExit(0 if seen == expected else 1)
PY
"$folder/venv/bin/python" "$folder/run.py" || { echo 'this has changed' >&2; exit 1; }
