#!/usr/bin/env bash
# One would guess that a NaN among p-values (a t test of two runs that used the very same memory gives one) is refused, or is never called significant.
# statsmodels' Holm and Holm-Šidák reject its null hypothesis where they reject all others, and call a test that says nothing significant. With
# Benjamini-Hochberg the decisions are right, and every adjusted p-value is NaN, those of the other tests as well. Nothing is said.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check statsmodels==0.15.0 scipy==1.17.1 numpy==2.4.6
cat > "$folder/run.py" <<'PY'
import warnings
import numpy as np, scipy, statsmodels
from scipy import stats
from statsmodels.stats.multitest import multipletests

warnings.filterwarnings('ignore')
same = np.full(10, 3.0)
values = [1e-4, float(stats.ttest_rel(same, same).pvalue), 3e-4, 2e-4]
print('statsmodels', statsmodels.__version__, 'scipy', scipy.__version__)
seen = {}
for method in ('bonferroni', 'holm', 'holm-sidak', 'fdr_bh'):
    rejected, adjusted, *_ = multipletests(values, method=method)
    seen[method] = rejected.tolist(), np.isnan(adjusted).tolist()
    print(f'{method}: p-values {values}, adjusted {np.round(adjusted, 4).tolist()}, rejected {rejected.tolist()}')
others = [True, False, True, True]
only = [False, True, False, False]
expected = {'bonferroni': (others, only), 'holm': ([True] * 4, only), 'holm-sidak': ([True] * 4, only), 'fdr_bh': (others, [True] * 4)}
raise SystemExit(0 if seen == expected else 1)
PY
"$folder/venv/bin/python" "$folder/run.py" || { echo 'this has changed' >&2; exit 1; }
