//! The `auscult` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    auscult::cli::main()
}
