//! The `auscult` command with fault injection, configured by environment variables
//! (`auscult_runtime::fault_injection`): for `tests/faults.sh`.

use std::process::ExitCode;

fn main() -> ExitCode {
    auscult_runtime::arm_fault_injection();
    auscult::cli::main()
}
