#!/usr/bin/env bash
# One would guess that safetensors.numpy writes an array's numbers in the order that the array has, or refuses what is not contiguous, as safetensors.torch does.
# Since 0.8 it writes memory as it lies, under the shape of the array: a transposed, sliced or Fortran-ordered array is read back with its numbers in
# other places (of a slice, with numbers that are not in it). Nothing is said. 0.7 wrote all of them right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/run.py" <<'PY'
import sys
import numpy as np, safetensors
from safetensors.numpy import load, save

x = np.arange(6, dtype=np.float32).reshape(2, 3)
arrays = {'as made': x, 'transposed': x.T, 'every second column': x[:, ::2], 'in Fortran order': np.asfortranarray(x), 'a copy of the transposed': x.T.copy()}
kept = {name: np.array_equal(load(save({'x': array}))['x'], array) for name, array in arrays.items()}
print('safetensors', safetensors.__version__, 'numpy', np.__version__)
for name, array in arrays.items():
    print(f"  {name}: {array.tolist()} is read back as {load(save({'x': array}))['x'].tolist()}")
wrong = [name for name in kept if not kept[name]]
raise SystemExit(0 if wrong == (['transposed', 'every second column', 'in Fortran order'] if sys.argv[1] == 'new' else []) else 1)
PY
for version in 0.7.0:old 0.8.0:new; do
  python3 -m venv "$folder/${version#*:}"
  "$folder/${version#*:}/bin/pip" install -q --disable-pip-version-check "safetensors==${version%:*}" numpy==2.4.6
  "$folder/${version#*:}/bin/python" "$folder/run.py" "${version#*:}" || { echo 'this has changed' >&2; exit 1; }
done
