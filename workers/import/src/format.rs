//! Selects the reader of a file: by its first bytes, and by its name only if they are not sufficient.

use std::path::Path;

use crate::{ImportError, Options, Source, mat, npy, parquet_file, sound, tdms, text, uff};

/// File extensions of supported formats other than sound.
const ENDINGS: [&str; 18] = [
    "csv", "txt", "tsv", "dat", "asc", "lvm", "mat", "tdms", "uff", "unv", "uf", "ufb", "bunv", "h5", "hdf5", "npy",
    "npz", "parquet",
];

/// Whether a file name has the extension of a supported format other than sound.
#[must_use]
pub fn is_importable(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    ENDINGS.contains(&ending.as_str())
}

pub(crate) fn source(name: &str, bytes: &[u8], options: &Options) -> Result<Source, ImportError> {
    let name = name.to_lowercase();
    match bytes {
        [] => Err(ImportError::Empty),
        _ if is_hdf5(bytes) => hdf5(bytes),
        [b'T', b'D', b'S', b'm', ..] => tdms::read(bytes),
        [b'T', b'D', b'S', b'h', ..] => unknown("is the index of a TDMS file: import the .tdms file beside it"),
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => npy::read(bytes),
        [b'P', b'K', 3, 4, ..] if name.ends_with(".xlsx") => {
            unknown("is an Excel workbook: save the sheet as CSV, and import that")
        }
        [b'P', b'K', 3, 4, ..] => npy::read_npz(bytes),
        [b'P', b'A', b'R', b'1', ..] => parquet_file::read(bytes),
        [b'R', b'I', b'F', b'F' | b'X', ..]
        | [b'R', b'F', b'6', b'4', ..]
        | [b'B', b'W', b'6', b'4', ..]
        | [b'f', b'L', b'a', b'C', ..] => sound::read(bytes),
        _ if mat::is_v5(bytes) => mat::read(bytes),
        _ if uff::is_uff(bytes) => uff::read(bytes),
        _ if mat::is_v4(bytes) && name.ends_with(".mat") => mat::read_v4(bytes),
        _ => match other(bytes) {
            Some(detail) => unknown(detail),
            None => text::read(bytes, options),
        },
    }
}

fn unknown(detail: &str) -> Result<Source, ImportError> {
    Err(ImportError::UnknownFormat { detail: detail.to_owned() })
}

/// The signature is at the beginning, or after a user block such as MATLAB's.
fn is_hdf5(bytes: &[u8]) -> bool {
    const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";
    [0, 512, 1024, 2048].iter().any(|&at| bytes.get(at..).is_some_and(|rest| rest.starts_with(SIGNATURE)))
}

#[cfg(feature = "hdf5")]
fn hdf5(bytes: &[u8]) -> Result<Source, ImportError> {
    crate::hdf5_file::read(bytes)
}

#[cfg(not(feature = "hdf5"))]
fn hdf5(bytes: &[u8]) -> Result<Source, ImportError> {
    let (format, instead) = if bytes.starts_with(b"MATLAB") {
        ("a MATLAB v7.3 file", "in MATLAB: save(name, '-v7')")
    } else {
        ("an HDF5 file", "as NumPy .npz, Parquet or CSV")
    };
    Err(ImportError::NotBuilt { format, instead })
}

/// Recognises unsupported formats by their first bytes.
fn other(bytes: &[u8]) -> Option<&'static str> {
    let known: [(&[u8], &str); 17] = [
        (b"# Created by Octave", "is Octave's text format: save it with `save -v7 name.mat`, and import that"),
        (b"\xd0\xcf\x11\xe0", "is an old Excel workbook: save the sheet as CSV, and import that"),
        (b"OggS", "is Ogg (Vorbis or Opus): convert it with `ffmpeg -i FILE FILE.wav`"),
        (b"ID3", "is MP3: convert it with `ffmpeg -i FILE FILE.wav`"),
        (b".snd", "is an AU file: convert it with `sox FILE FILE.wav`"),
        (b"riff\x2e\x91\xcf\x11", "is Sony Wave64: convert it with `ffmpeg -i FILE FILE.wav`"),
        (b"FORM", "is AIFF: convert it with `sox FILE FILE.wav`"),
        (b"caff", "is CAF: convert it with `ffmpeg -i FILE FILE.wav`"),
        (b"CDF\x01", "is NetCDF 3: convert it with `nccopy -k nc4`, and import that as HDF5"),
        (b"CDF\x02", "is NetCDF 3: convert it with `nccopy -k nc4`, and import that as HDF5"),
        (b"ARROW1", "is Arrow (Feather): write it as Parquet, and import that"),
        (b"MDF ", "is an MDF file (ASAM): write its channels as MATLAB, Parquet or CSV with asammdf, and import that"),
        (b"TDF$", "is a catman file: export it as MATLAB or ASCII, and import that"),
        (b"\x1f\x8b", "is compressed with gzip: unpack it with `gunzip`, and import what is in it"),
        (b"\x28\xb5\x2f\xfd", "is compressed with zstd: unpack it with `unzstd`, and import what is in it"),
        (b"BZh", "is compressed with bzip2: unpack it with `bunzip2`, and import what is in it"),
        (b"7z\xbc\xaf", "is a 7-Zip archive: unpack it, and import what is in it"),
    ];
    known.into_iter().find(|(start, _)| bytes.starts_with(start)).map(|(_, detail)| detail)
}
