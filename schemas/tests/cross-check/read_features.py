#!/usr/bin/env python3
"""Reads the golden features message with pyarrow, which knows nothing of Auscult, and checks what any reader should see.

Needs pyarrow and numpy (tests/setup.sh installs them into .work/venv).
"""

import json
import pathlib

import numpy
import pyarrow

schemas = pathlib.Path(__file__).resolve().parents[2]
message = (schemas / "golden" / "features" / "value.arrows").read_bytes()

with pyarrow.ipc.open_stream(message) as reader:
    table = reader.read_all()

column = table.column("log_mel")
assert isinstance(column.type, pyarrow.FixedShapeTensorType), column.type
assert column.type.shape == [3, 4], column.type.shape
assert column.type.dim_names == ["frames", "mels"], column.type.dim_names
assert column.type.value_type == pyarrow.float32(), column.type.value_type
assert column.null_count == 0

log_mel = column.combine_chunks().to_numpy_ndarray()
assert log_mel.shape == (2, 3, 4), log_mel.shape
expected = numpy.arange(24, dtype=numpy.float32).reshape(2, 3, 4) * 0.5 - 60.0
assert numpy.array_equal(log_mel, expected), log_mel

metadata = json.loads(table.schema.metadata[b"auscult"])
spec_hash = table.schema.metadata[b"auscult.feature_spec_hash"].decode()
assert metadata["feature_spec"] == spec_hash
assert metadata["chunk"] == {"topic": "audio.chunks", "partition": 3, "offset": 1207}

print(f"pyarrow {pyarrow.__version__} reads [channels, frames, mels] = {list(log_mel.shape)}, spec {spec_hash[:16]}")
