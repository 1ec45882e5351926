//! Exit status: 0 done, 1 failed, 2 wrong usage (clap's own).

use std::io;
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match auscult::cli::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The reader has had enough (`auscult … | head`): nothing went wrong.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
