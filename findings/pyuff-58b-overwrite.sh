#!/usr/bin/env bash
# pyuff loses and mangles binary universal files that it writes itself, without an error.
#
# Guess, written down before: UFF.write_sets(set, 'overwrite') of a binary data set 58 writes the file anew, and reading it gives the values
# back; a set of single precision (force_double=False) holds four bytes a value, as its head says.
# Seen: after 'overwrite' the file has 7 bytes ("    -1"), as it is opened again for writing before and after the values; with 'add' a set of
# single precision has doubles behind a head that says singles, and pyuff itself reads back twice as many values, which are other numbers.
# Whom it hurts: who archives vibration as 58b to save space, and looks only at whether the script ran; and who reads such files elsewhere.
# Exits 1 when the behaviour changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pyuff==2.5.8 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PYTHON'
import importlib.metadata
import os
import sys

import numpy as np
import pyuff

print("pyuff", importlib.metadata.version("pyuff"))
time = np.arange(1000) / 25_600
values = np.sin(2 * np.pi * 100 * time)


def dataset(kind):
    return {"type": 58, "func_type": 1, "rsp_node": 1, "rsp_dir": 3, "ref_node": 1, "ref_dir": 3, "data": values, "x": time, "id1": "acc",
            "binary": 1, "ord_data_type": kind, "abscissa_spacing": 1, "abscissa_min": 0.0, "abscissa_inc": time[1], "z_axis_value": 0.0,
            "abscissa_spec_data_type": 17, "ordinate_spec_data_type": 12, "orddenom_spec_data_type": 0, "z_axis_spec_data_type": 0}


pyuff.UFF("overwritten.uff").write_sets(dataset(4), "overwrite")
size = os.path.getsize("overwritten.uff")
print(f"overwrite: 1000 doubles, a file of {size} bytes, no error")

pyuff.UFF("single.uff").write_sets(dataset(2), "add", force_double=False)
back = pyuff.UFF("single.uff").read_sets()
read = np.asarray(back[0]["data"] if isinstance(back, list) else back["data"])
print(f"single: 1000 values written, {read.size} read back, the first {read[:3]}, not {values[:3]}")

as_seen = size == 7 and read.size == 2000 and not np.allclose(read[:1000], values, atol=1e-6)
print("as seen" if as_seen else "CHANGED")
sys.exit(not as_seen)
PYTHON
