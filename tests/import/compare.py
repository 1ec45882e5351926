"""Makes files with the real writers, and holds `auscult import` against the real readers: compare.py AUSCULT

Every value must be equal to the reader's as float32, and the rate must be the one that was set. Prints a table; exits 1 where a row differs.
"""
import decimal
import json
import pathlib
import subprocess
import sys
import tempfile

import h5py
import hdf5storage
import nptdms
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyuff
import scipy.io
import scipy.io.wavfile
import soundfile
from nptdms import ChannelObject, GroupObject, RootObject, TdmsFile, TdmsWriter

AUSCULT = sys.argv[1]
RATE = 25_600
rng = np.random.default_rng(7)
T = np.arange(12_800) / RATE
A = 2.5 * np.sin(2 * np.pi * 120 * T) + 0.4 * rng.standard_normal(T.size)
B = 0.02 * np.sin(2 * np.pi * 77 * T) + 0.01 * rng.standard_normal(T.size)
BOTH = np.stack([A, B])
rows = []


def run(path, *options):
    out = pathlib.Path(tempfile.mkdtemp())
    done = subprocess.run([AUSCULT, "import", str(path), "--out", str(out), *map(str, options)], capture_output=True, text=True)
    return done, out


def recordings(out):
    """[(rate, channels as float32)] in the manifest's order."""
    manifest = json.loads((out / "import.json").read_text())
    found = []
    for entry in manifest["recordings"]:
        samples, rate = soundfile.read(out / entry["file"], dtype="float32", always_2d=True)
        found.append((rate, samples.T, entry))
    return found


def case(kind, writer, path, expected, *options, rate=RATE, unit=None):
    """`expected`: [channels, samples], or a list of them, one a recording; what the real reader gives."""
    done, out = run(path, *options)
    if "--features hdf5" in done.stderr:
        rows.append((kind, writer, "skipped: built without hdf5"))
        return
    if done.returncode:
        rows.append((kind, writer, "DIFFERS: " + (done.stderr.strip().splitlines() or ["no message"])[0]))
        return
    wanted = expected if isinstance(expected, list) else [expected]
    found = recordings(out)
    wrong = []
    if len(found) != len(wanted):
        wrong.append(f"{len(found)} recordings, not {len(wanted)}")
    for (found_rate, samples, entry), values in zip(found, wanted):
        values = np.atleast_2d(np.asarray(values)).astype(np.float32)
        if found_rate != rate:
            wrong.append(f"rate {found_rate}")
        if samples.shape != values.shape:
            wrong.append(f"shape {samples.shape}, not {values.shape}")
        elif not np.array_equal(samples, values):
            wrong.append(f"values differ by up to {np.abs(samples - values).max():g}")
        if unit and entry["channels"][0].get("unit") != unit:
            wrong.append(f"unit {entry['channels'][0].get('unit')}")
    rows.append((kind, writer, "DIFFERS: " + "; ".join(wrong) if wrong else "equal"))


def refused(kind, writer, path, word, *options):
    done, _ = run(path, *options)
    if "--features hdf5" in done.stderr:
        rows.append((kind, writer, "skipped: built without hdf5"))
        return
    is_right = done.returncode == 1 and word in done.stderr
    rows.append((kind, writer, f"refused: “{word}”" if is_right else f"DIFFERS: {done.returncode} {done.stdout} {done.stderr}".strip()))


folder = pathlib.Path(tempfile.mkdtemp())


def matlab():
    name = f"scipy {scipy.__version__}"
    for dtype in ("f8", "f4", "i4", "i2", "i1", "u4", "u2", "u1", "i8"):
        for compressed in (False, True):
            path = folder / f"{dtype}{compressed}.mat"
            values = A if dtype[0] == "f" else np.round(20 * (A if dtype[0] == "i" else A + 5))
            scipy.io.savemat(path, {"X097_DE_time": values.astype(dtype)[:, None], "X097RPM": np.uint16(1796)}, do_compression=compressed)
            read = scipy.io.loadmat(path)["X097_DE_time"].ravel()
            case(f"MATLAB v5, {dtype}{', compressed' if compressed else ''}", name, path, read, "--rate", RATE)
    path = folder / "matrix.mat"
    scipy.io.savemat(path, {"x": BOTH.T, "fs": float(RATE)})
    case("MATLAB v5, matrix and `fs`", name, path, BOTH)
    path = folder / "rows.mat"
    scipy.io.savemat(path, {"x": BOTH, "t": T})
    case("MATLAB v5, rows and `t`", name, path, BOTH)
    path = folder / "struct.mat"
    scipy.io.savemat(path, {"bearing": {"gs": A, "sr": float(RATE), "rate": 25.0, "load": 270.0}}, do_compression=True)
    case("MATLAB v5, struct as MFPT's", name, path, A)
    path = folder / "v4.mat"
    scipy.io.savemat(path, {"x": A[:, None], "fs": float(RATE)}, format="4")
    case("MATLAB v4", name, path, A)
    path = folder / "complex.mat"
    scipy.io.savemat(path, {"x": A + 1j * A})
    refused("MATLAB v5, complex", name, path, "x is complex", "--rate", RATE)
    path = folder / "v73.mat"
    hdf5storage.savemat(str(path), {"x": BOTH.T, "fs": float(RATE), "note": "a text"}, format="7.3", oned_as="column")
    case("MATLAB v7.3, matrix and `fs`", f"hdf5storage {hdf5storage.__version__}", path, BOTH)


def tdms():
    name = f"npTDMS {nptdms.__version__}"
    linear = {"NI_Scaling_Status": "unscaled", "NI_Number_Of_Scales": np.int32(1), "NI_Scale[0]_Scale_Type": "Linear",
              "NI_Scale[0]_Linear_Slope": 0.001, "NI_Scale[0]_Linear_Y_Intercept": 0.5, "NI_Scale[0]_Linear_Input_Source": np.uint32(0xFFFFFFFF)}
    polynomial = {"NI_Number_Of_Scales": np.int32(2), "NI_Scale[0]_Scale_Type": "Polynomial",
                  "NI_Scale[0]_Polynomial_Coefficients_Size": np.int32(3), "NI_Scale[0]_Polynomial_Input_Source": np.uint32(0xFFFFFFFF),
                  **{f"NI_Scale[0]_Polynomial_Coefficients[{i}]": c for i, c in enumerate((0.1, 2e-3, 1e-9))},
                  "NI_Scale[1]_Scale_Type": "Linear", "NI_Scale[1]_Linear_Slope": -9.81, "NI_Scale[1]_Linear_Y_Intercept": 0.0,
                  "NI_Scale[1]_Linear_Input_Source": np.uint32(0)}
    table = {"NI_Number_Of_Scales": np.int32(1), "NI_Scale[0]_Scale_Type": "Table", "NI_Scale[0]_Table_Input_Source": np.uint32(0xFFFFFFFF),
             "NI_Scale[0]_Table_Pre_Scaled_Values_Size": np.int32(3), "NI_Scale[0]_Table_Scaled_Values_Size": np.int32(3),
             **{f"NI_Scale[0]_Table_Pre_Scaled_Values[{i}]": v for i, v in enumerate((-5000.0, 0.0, 4000.0))},
             **{f"NI_Scale[0]_Table_Scaled_Values[{i}]": v for i, v in enumerate((-1.0, 0.0, 3.0))}}
    subtract = {"NI_Number_Of_Scales": np.int32(3), "NI_Scale[0]_Scale_Type": "Linear", "NI_Scale[0]_Linear_Slope": 2.0,
                "NI_Scale[0]_Linear_Y_Intercept": 0.0, "NI_Scale[0]_Linear_Input_Source": np.uint32(0xFFFFFFFF),
                "NI_Scale[1]_Scale_Type": "Linear", "NI_Scale[1]_Linear_Slope": 5.0, "NI_Scale[1]_Linear_Y_Intercept": 1.0,
                "NI_Scale[1]_Linear_Input_Source": np.uint32(0xFFFFFFFF), "NI_Scale[2]_Scale_Type": "Subtract",
                "NI_Scale[2]_Subtract_Left_Operand_Input_Source": np.uint32(0), "NI_Scale[2]_Subtract_Right_Operand_Input_Source": np.uint32(1)}
    counts = np.round(1000 * A).astype("i2")
    for what, scales in (("no scale", {}), ("linear", linear), ("polynomial, then linear", polynomial), ("table", table), ("difference of two", subtract)):
        path = folder / f"{what}.tdms"
        properties = {"wf_increment": 1 / RATE, "unit_string": "g", **scales}
        with TdmsWriter(path) as writer:
            for part in np.split(counts, 4):
                writer.write_segment([ChannelObject("Vib", "Acc1", part, properties=properties), ChannelObject("Vib", "Acc2", part[::-1], properties=properties)])
        channels = TdmsFile.read(path)["Vib"].channels()
        case(f"TDMS, {what}, 4 segments", name, path, np.stack([channel[:] for channel in channels]), unit="g")
    for dtype in ("f8", "f4", "i4", "u1"):
        path = folder / f"{dtype}.tdms"
        with TdmsWriter(path) as writer:
            writer.write_segment([RootObject({"author": "x"}), GroupObject("Vib"), ChannelObject("Vib", "Acc", (10 * A + 50).astype(dtype), properties={"wf_increment": 1 / RATE})])
        case(f"TDMS, {dtype}", name, path, TdmsFile.read(path)["Vib"]["Acc"][:])
    path = folder / "time.tdms"
    stamps = np.datetime64("2026-05-01T12:00:00", "us") + (T * 1e6).astype("timedelta64[us]")
    with TdmsWriter(path) as writer:
        writer.write_segment([ChannelObject("Log", "Time", stamps), ChannelObject("Log", "Acc", A)])
    case("TDMS, a channel of times", name, path, A)


def uff():
    name = "pyuff 2.5.8"
    for fmt, binary in (("text", 0), ("binary", 1)):
        for double in (True, False):
            path = folder / f"{fmt}{double}.uff"
            data = {"type": 58, "func_type": 1, "rsp_node": 7, "rsp_dir": 3, "ref_node": 1, "ref_dir": 3, "data": A, "x": T, "id1": "acc",
                    "abscissa_spec_data_type": 17, "ordinate_spec_data_type": 12, "orddenom_spec_data_type": 0, "z_axis_axis_lab": "NONE",
                    "abscissa_axis_units_lab": "s", "ordinate_axis_units_lab": "g", "abscissa_spacing": 1, "abscissa_min": 0.0,
                    "abscissa_inc": 1 / RATE, "binary": binary, "ord_data_type": 4 if double else 2}
            file = pyuff.UFF(str(path))
            # Not "overwrite", with which pyuff leaves seven bytes of a binary set.
            file.write_sets([data, {**data, "data": B, "rsp_node": 8}], "add", force_double=double)
            # Its own reader fails where it has written single binary values as doubles.
            expected = np.stack([A, B]) if binary else np.stack([one["data"].real for one in pyuff.UFF(str(path)).read_sets()])
            case(f"UFF58, {fmt}, {'double' if double else 'single'}", name, path, expected, unit="g")
    path = folder / "frf.uff"
    pyuff.UFF(str(path)).write_sets({"type": 58, "func_type": 4, "rsp_node": 1, "rsp_dir": 1, "ref_node": 1, "ref_dir": 1, "orddenom_spec_data_type": 13, "ordinate_spec_data_type": 12, "abscissa_spec_data_type": 18, "z_axis_spec_data_type": 0,
                                     "data": A[:100] + 1j, "x": np.arange(100.0), "binary": 0}, "overwrite")
    refused("UFF58, frequency response", name, path, "complex values")


def numpy_and_tables():
    name = f"numpy {np.__version__}"
    for what, array in (("float64", A), ("float32, 2 by n", BOTH.astype("f4")), ("float32, n by 2", BOTH.T.astype("f4")), ("int16", np.round(100 * A).astype("i2")),
                        ("big-endian", A.astype(">f8")), ("Fortran order", np.asfortranarray(BOTH)), ("float16", A.astype("f2"))):
        path = folder / f"{what}.npy"
        np.save(path, array)
        read = np.load(path)
        case(f".npy, {what}", name, path, read.T if read.ndim == 2 and read.shape[0] > read.shape[1] else read, "--rate", RATE)
    for what, save in (("", np.savez), (", compressed", np.savez_compressed)):
        path = folder / f"a{what}.npz"
        save(path, acc=A, fs=RATE)
        case(f".npz{what}, with `fs`", name, path, A)
    name = f"pandas {pd.__version__}"
    frame = pd.DataFrame({"time": T, "Acc [g]": A, "Acc2 [g]": B})
    for what, options in (("comma", {}), ("semicolon, decimal comma", {"sep": ";", "decimal": ","}), ("tab", {"sep": "\t"}), ("index column", {"index": True})):
        path = folder / f"{what}.csv"
        frame.to_csv(path, **{"index": False, **options})
        back = pd.read_csv(path, **{key: value for key, value in options.items() if key != "index"})
        case(f"CSV, {what}", name, path, back[["Acc [g]", "Acc2 [g]"]].to_numpy().T, unit="g")
    path = folder / "stamps.csv"
    frame.assign(time=pd.Timestamp("2026-05-01T12:00:00") + pd.to_timedelta(T, unit="s")).to_csv(path, index=False)
    case("CSV, ISO times", name, path, BOTH)
    for compression in ("snappy", "zstd", None):
        path = folder / f"{compression}.parquet"
        frame.to_parquet(path, compression=compression)
        back = pd.read_parquet(path)
        case(f"Parquet, {compression or 'plain'}", name + " (pyarrow)", path, back[["Acc [g]", "Acc2 [g]"]].to_numpy().T, unit="g")
    path = folder / "stamps.parquet"
    frame.assign(time=pd.Timestamp("2026-05-01T12:00:00") + pd.to_timedelta(T, unit="s")).to_parquet(path)
    case("Parquet, times", name + " (pyarrow)", path, BOTH)
    path = folder / "index.parquet"
    frame.set_index(pd.Timestamp("2026-05-01") + pd.to_timedelta(T, unit="s"))[["Acc [g]"]].to_parquet(path)
    case("Parquet, times as index", name + " (pyarrow)", path, A)


def hdf5_and_sound():
    name = f"h5py {h5py.__version__}"
    for what, options in (("contiguous", {}), ("gzip and shuffle", {"chunks": (1000,), "compression": "gzip", "shuffle": True}), ("big-endian", {"dtype": ">f4"})):
        path = folder / f"{what}.h5"
        with h5py.File(path, "w") as file:
            dataset = file.create_dataset("vib/acc", data=A, **options)
            dataset.attrs["fs"] = RATE
            dataset.attrs["unit"] = "g"
            file["note"] = "a text"
        with h5py.File(path) as file:
            case(f"HDF5, {what}", name, path, file["vib/acc"][:], unit="g")
    name = f"scipy {scipy.__version__}"
    for dtype in ("f4", "f8"):
        path = folder / f"{dtype}.wav"
        scipy.io.wavfile.write(path, RATE, BOTH.T.astype(dtype))
        case(f"WAV, {dtype}", name, path, scipy.io.wavfile.read(path)[1].T)


def field():
    """What a fresh reader tried, and what was read wrong or refused with a wrong cause until then."""
    name = f"pandas {pd.__version__}"
    days = 45_992.5 + np.arange(600) / 10 / 86_400
    for what, head, columns in (("Excel's dates", "Date", days), ("minutes", "time [min]", np.arange(600) / 10 / 60)):
        path = folder / f"{what}.csv"
        pd.DataFrame({head: columns, "a": A[:600]}).to_csv(path, index=False)
        case(f"CSV, time: {what}", name, path, A[:600], rate=10)
    path = folder / "thousands.csv"
    grouped = [f"{value:,.3f}".replace(",", " ").replace(".", ",").replace(" ", ".") for value in 5000 * A]
    pd.DataFrame({"t [s]": [f"{t:.8f}".replace(".", ",") for t in T], "p [Pa]": grouped}).to_csv(path, index=False, sep=";")
    case("CSV, 1.234,567", name, path, pd.read_csv(path, sep=";", decimal=",", thousands=".")["p [Pa]"])
    path = folder / "more.parquet"
    times, decimals = pa.array((np.arange(600) * 100).astype("i8"), pa.time64("us")), [decimal.Decimal(f"{value:.4f}") for value in A[:600]]
    pq.write_table(pa.table({"time": times, "a": pa.array(decimals)}), path)
    case("Parquet, times of day and decimals", f"pyarrow {pa.__version__}", path, np.array(decimals, float), rate=10_000)
    path = folder / "list.parquet"
    pq.write_table(pa.table({"id": [1, 2], "wave": [list(A), list(B)]}), path)
    refused("Parquet, lists", f"pyarrow {pa.__version__}", path, "lists in its cells", "--rate", RATE)
    path = folder / "gzip.parquet"
    pq.write_table(pa.table({"a": A}), path, compression="gzip")
    refused("Parquet, gzip", f"pyarrow {pa.__version__}", path, "compressed by gzip", "--rate", RATE)
    name = f"numpy {np.__version__}"
    path = folder / "records.npy"
    np.save(path, np.rec.fromarrays([T, A, B], names="t,a,b"))
    case(".npy, records", name, path, BOTH)
    path = folder / "dates.npz"
    np.savez(path, time=np.datetime64("2026-05-01", "us") + np.arange(600) * np.timedelta64(100, "us"), a=A[:600])
    case(".npz, datetime64", name, path, A[:600], rate=10_000)
    path = folder / "snapshots.npy"
    np.save(path, A.reshape(50, 256))
    case(".npy, 50 snapshots in rows", name, path, A, "--rate", RATE, "--snapshots", "rows")
    name = f"npTDMS {nptdms.__version__}"
    path = folder / "spectrum.tdms"
    with TdmsWriter(path) as writer:
        writer.write_segment([ChannelObject("G", "a", A, properties={"wf_increment": 0.5, "wf_xname": "Frequency", "wf_xunit_string": "Hz"})])
    refused("TDMS, a spectrum", name, path, "no signal over time")
    path = folder / "changes.tdms"
    with TdmsWriter(path) as writer:
        for rate in (RATE, 2 * RATE):
            writer.write_segment([ChannelObject("G", "a", A, properties={"wf_increment": 1 / rate})])
    refused("TDMS, the rate changes", name, path, "wf_increment changes")
    name = "soundfile " + soundfile.__version__
    path = folder / "libsndfile.mat"
    soundfile.write(path, A / 4, RATE, format="MAT5", subtype="DOUBLE")
    case("MATLAB v5 by libsndfile", name, path, A / 4)
    name = f"h5py {h5py.__version__}"
    path = folder / "order.h5"
    with h5py.File(path, "w", libver="latest") as file:
        for number in range(12):
            file.create_dataset(f"ch{number}", data=A * (number + 1)).attrs["fs"] = f"{RATE} Hz"
        file["alias"] = file["ch3"]
        file["flag"] = A > 0
    case("HDF5, twelve channels, a link, truth values", name, path, [np.stack([A * (number + 1) for number in (3, *(n for n in range(12) if n != 3))])])
    path = folder / "virtual.h5"
    with h5py.File(path, "w", libver="latest") as file:
        file["raw"] = A
        layout = h5py.VirtualLayout((A.size,), "f8")
        layout[:] = h5py.VirtualSource(file["raw"])
        file.create_virtual_dataset("v", layout)
    refused("HDF5, a virtual data set", name, path, "a virtual data set", "--rate", RATE)


for part in (matlab, tdms, uff, numpy_and_tables, hdf5_and_sound, field):
    part()
print("| file | written by | read |\n|---|---|---|")
for row in rows:
    print("| " + " | ".join(row) + " |")
wrong = sum("DIFFERS" in row[2] for row in rows)
print(f"\n{len(rows)} files, {wrong} differ", file=sys.stderr)
sys.exit(bool(wrong))
