//! Recordings of simulated machines, as files.

use std::path::{Path, PathBuf};

use anyhow::Result;
use auscult_simulator::{Condition, Fault, Machine, MachineKind, SAMPLE_RATE_HZ, wav_bytes};

/// Writes a data folder of a simulated machine: `train/normal` to train with, then a `stream` of `chunks` with a fault
/// from half on.
///
/// # Errors
/// When a file cannot be written.
pub fn simulate(folder: &Path, kind: MachineKind, id: &str, fault: Fault, chunks: u64) -> Result<PathBuf> {
    let machine = Machine::new(kind, id, 11);
    let data = folder.join(id);
    for (part, numbers) in [("train/normal", 0..24), ("stream", 1_000..1_000 + chunks)] {
        std::fs::create_dir_all(data.join(part))?;
        for number in numbers {
            let is_faulty = number >= 1_000 + chunks / 2;
            let condition = if is_faulty { Condition::faulty(fault, 1.0) } else { Condition::NORMAL };
            let wav = wav_bytes(&machine.chunk(number, condition), SAMPLE_RATE_HZ);
            std::fs::write(data.join(part).join(format!("{number:05}.wav")), wav)?;
        }
    }
    Ok(data)
}
