#!/usr/bin/env bash
# A TDMS scale "Subtract" is the right operand less the left one.
#
# Guess, written down before: NI_Scale[2] of type Subtract with left operand 0 and right operand 1 is scale 0 less scale 1, as a - b has a on
# its left.
# Seen: npTDMS gives scale 1 less scale 0, and says in its source that this is what NI's own plug-in for Excel does.
# Whom it hurts: who reads TDMS without NI's library (MATLAB, Julia, own readers): a differential measurement (a bridge, a reference channel taken
# off) has the wrong sign: a push is a pull, and a sum with another channel cancels where it should add.
# Exits 1 when the behaviour changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet npTDMS==1.13.0 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PYTHON'
import importlib.metadata
import sys

import numpy as np
from nptdms import ChannelObject, TdmsFile, TdmsWriter

print("npTDMS", importlib.metadata.version("npTDMS"))
raw = 0xFFFFFFFF
properties = {"NI_Scaling_Status": "unscaled", "NI_Number_Of_Scales": np.uint32(3)}
for index, slope in enumerate((2.0, 5.0)):
    properties |= {f"NI_Scale[{index}]_Scale_Type": "Linear", f"NI_Scale[{index}]_Linear_Slope": slope,
                   f"NI_Scale[{index}]_Linear_Y_Intercept": 0.0, f"NI_Scale[{index}]_Linear_Input_Source": np.uint32(raw)}
properties |= {"NI_Scale[2]_Scale_Type": "Subtract", "NI_Scale[2]_Subtract_Left_Operand_Input_Source": np.uint32(0),
               "NI_Scale[2]_Subtract_Right_Operand_Input_Source": np.uint32(1)}
with TdmsWriter("a.tdms") as writer:
    writer.write_segment([ChannelObject("Bridge", "Force", np.array([1, 10, 100], "i2"), properties=properties)])
seen = TdmsFile.read("a.tdms")["Bridge"]["Force"][:]
print("counts 1, 10, 100; left = 2 x counts, right = 5 x counts; guess left - right:", [-3.0, -30.0, -300.0], "seen:", seen.tolist())
as_seen = seen.tolist() == [3.0, 30.0, 300.0]
print("as seen" if as_seen else "CHANGED")
sys.exit(not as_seen)
PYTHON
