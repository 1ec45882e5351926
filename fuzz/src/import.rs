//! What the target of imported files does with its bytes. `workers/import/tests/any_bytes.rs` compiles this same file.

use auscult_import::{Options, read_bytes};

/// The names that decide where bytes do not.
const NAMES: [&str; 8] = ["a.csv", "a.mat", "a.uff", "a.npz", "a.txt", "a.lvm", "a.tdms", "a.npy"];

/// The first byte of an input whose file has this name, with a rate given.
#[allow(dead_code, reason = "only the tests make inputs of valid files")]
pub fn choice_of(name: &str) -> u8 {
    NAMES.iter().position(|known| *known == name).map_or(8, |at| at as u8 | 8)
}

/// A file: the first byte chooses its name and whether a rate is given, the rest is the file. What is read keeps the
/// promises of [`auscult_import::Recording`]. Parquet and HDF5 are read by crates of others and are left out.
pub fn import_file(data: &[u8]) {
    let Some((&choice, bytes)) = data.split_first() else { return };
    if bytes.starts_with(b"PAR1") {
        return;
    }
    let name = NAMES[usize::from(choice) % NAMES.len()];
    let rate_hz = (choice & 8 != 0).then_some(1000.0);
    match read_bytes(name, bytes, &Options { rate_hz, ..Options::default() }) {
        Ok(imported) => {
            assert!(!imported.recordings.is_empty());
            for recording in &imported.recordings {
                assert!(recording.rate.hz.is_finite() && recording.rate.hz > 0.0, "{} Hz", recording.rate.hz);
                assert!(recording.samples() > 0);
                assert!(recording.channels.iter().all(|channel| channel.samples.len() == recording.samples()));
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
