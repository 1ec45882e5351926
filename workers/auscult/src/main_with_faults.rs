//! The `auscult` command with faults to be injected by the environment (`auscult_runtime::fault_injection`): for
//! `tests/faults.sh`.

use std::process::ExitCode;

fn main() -> ExitCode {
    auscult_runtime::arm_fault_injection();
    auscult::cli::main()
}
