#!/usr/bin/env bash
# One would guess that a filter of DuckDB finds the same rows in a Parquet file as in a table made of it.
# Where pyarrow or polars wrote the file and a column holds NaN (a loss that diverged, say), it does not: isnan(x) finds nothing, and NaN, to DuckDB
# larger than any number, is left out by x > 5 and given by x < 5. The column's least and greatest value in the file say nothing of NaN; DuckDB takes
# them for bounds, unless read_parquet is given can_have_nan = true.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check duckdb==2.0.1 pyarrow==26.0.1 polars==2.1.0
cat > "$folder/run.py" <<'PY'
import sys
import duckdb, polars, pyarrow, pyarrow.parquet

losses = {'step': [0, 1, 2], 'loss': [1.0, float('nan'), 3.0]}
pyarrow.parquet.write_table(pyarrow.table(losses), sys.argv[1] + '/pyarrow.parquet')
polars.DataFrame(losses).write_parquet(sys.argv[1] + '/polars.parquet')
print('duckdb', duckdb.__version__, 'pyarrow', pyarrow.__version__, 'polars', polars.__version__)
connection = duckdb.connect()
seen = set()
for writer in ('pyarrow', 'polars'):
    path = f"'{sys.argv[1]}/{writer}.parquet'"
    connection.execute(f'CREATE OR REPLACE TABLE losses AS SELECT * FROM read_parquet({path})')
    for filter in ('isnan(loss)', 'loss > 5', 'loss < 5'):
        sources = {'file': f'read_parquet({path})', 'file, can_have_nan': f'read_parquet({path}, can_have_nan = true)', 'table': 'losses'}
        steps = {name: [row[0] for row in connection.execute(f'SELECT step FROM {source} WHERE {filter} ORDER BY step').fetchall()] for name, source in sources.items()}
        print(f'written by {writer}, WHERE {filter}: steps', ', '.join(f'{found} ({name})' for name, found in steps.items()))
        seen.add((filter, *map(tuple, steps.values())))
right = {'isnan(loss)': (1,), 'loss > 5': (1,), 'loss < 5': (0, 2)}
expected = {(filter, (0, 1, 2) if filter == 'loss < 5' else (), steps, steps) for filter, steps in right.items()}
raise SystemExit(0 if seen == expected else 1)
PY
"$folder/venv/bin/python" "$folder/run.py" "$folder" || { echo 'this has changed' >&2; exit 1; }
