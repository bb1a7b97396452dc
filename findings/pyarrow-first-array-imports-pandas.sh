#!/usr/bin/env bash
# pyarrow 26.0.1, pandas 2.3.3: the first array that pyarrow makes imports pandas, if it is installed, whatever the values.
#
# Guessed before: pa.array of a list of numbers needs pyarrow alone; pandas, an optional package, is imported by what deals
#   with data frames, such as Table.to_pandas.
# Seen: pa.array([1, 2]) imports pandas, to tell whether it was given a series. In an environment without pandas, the same
#   line takes no time to speak of.
#
#       with pandas      0.28 s, 58 MiB, pandas in sys.modules: True
#       without pandas   0.00 s,  5 MiB, pandas in sys.modules: False
#
# Who is hurt: whoever starts many short processes that read or write Parquet, such as the jobs of a workflow, in an
#   environment where some other package (wfdb, here) has brought pandas.
# Exits with another status than 0 if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/with"
"$folder/with/bin/pip" install --quiet pyarrow==26.0.1 pandas==2.3.3
python3 -m venv "$folder/without"
"$folder/without/bin/pip" install --quiet pyarrow==26.0.1
cat > "$folder/first.py" <<'PYTHON'
import resource
import sys

import pyarrow as pa

used = resource.getrusage(resource.RUSAGE_SELF)
pa.array([1, 2])
now = resource.getrusage(resource.RUSAGE_SELF)
seconds = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
print(f"{seconds:.2f} s, {(now.ru_maxrss - used.ru_maxrss) / 1024:.0f} MiB, pandas in sys.modules: {'pandas' in sys.modules}")
PYTHON
for environment in with without; do
  for _ in 1 2; do "$folder/$environment/bin/python" "$folder/first.py" > "$folder/$environment.txt"; done
  echo "$environment pandas: $(cat "$folder/$environment.txt")"
done
grep --quiet True "$folder/with.txt" || { echo "changed: an array of numbers does not import pandas"; exit 1; }
grep --quiet False "$folder/without.txt" || { echo "changed: pandas is there where it was not installed"; exit 1; }
