#!/usr/bin/env bash
# One would guess that a perfect translation has the best chrF there is, and that two libraries agree on chrF with the same n-grams and the same β.
# NLTK gives "cat" for "cat" half of it: orders for which three characters are too few count as 0 in its mean, while sacrebleu leaves them out.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check nltk==3.10.4 sacrebleu==2.6.0
cat > "$folder/run.py" <<'PY'
import nltk, sacrebleu
from nltk.translate.chrf_score import sentence_chrf

print('nltk', nltk.__version__, 'sacrebleu', sacrebleu.__version__)
expected = {
    ('cat', 'cat'): (50.0, 100.0),
    ('a b', 'a b'): (33.3, 100.0),
    ('the cat sat', 'the cat sat'): (100.0, 100.0),
}
seen = {}
for reference, hypothesis in expected:
    scores = 100 * sentence_chrf(reference, hypothesis, max_len=6, beta=2.0), sacrebleu.sentence_chrf(hypothesis, [reference]).score
    seen[reference, hypothesis] = tuple(round(score, 1) for score in scores)
    print(f'{hypothesis!r} for {reference!r}: nltk {scores[0]:.1f}, sacrebleu {scores[1]:.1f}')
raise SystemExit(0 if seen == expected else 1)
PY
"$folder/venv/bin/python" "$folder/run.py" || { echo 'this has changed' >&2; exit 1; }
