//! Where the parts are that a test starts.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

const SETUP: &str = "run tests/setup.sh";

/// The repository's root.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository").to_owned()
}

/// The `auscult` binary: `AUSCULT_BIN`, or what the running test's own build made.
///
/// # Errors
/// When it has not been built, with the command that does.
pub fn auscult_binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("AUSCULT_BIN") {
        return Ok(PathBuf::from(path));
    }
    // target/release/deps/end_to_end-0123456789abcdef → target/release/auscult
    let test = std::env::current_exe().context("finding the running test")?;
    let profile = test.parent().and_then(Path::parent).context("a test lies in target/PROFILE/deps")?;
    let binary = profile.join("auscult");
    if !binary.is_file() {
        let flag = if profile.ends_with("release") { " --release" } else { "" };
        bail!("{} is not there: run cargo build{flag} -p auscult", binary.display());
    }
    Ok(binary)
}

/// A program by its name: on the PATH, or where `tests/setup.sh` unpacked it.
pub(crate) fn program(name: &str) -> Result<PathBuf> {
    let unpacked =
        ["prometheus", "alertmanager"].map(|package| repository().join(".work").join(package).join("usr/bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let built = repository().join(".work/collector");
    let found = std::env::split_paths(&path)
        .chain(unpacked)
        .chain([built])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    found.with_context(|| format!("{name} is not installed: {SETUP}"))
}

/// The class path of Apache Kafka's jars.
pub(crate) fn kafka_class_path() -> Result<String> {
    let libs = match std::env::var_os("AUSCULT_KAFKA_LIBS") {
        Some(folder) => PathBuf::from(folder),
        // As tests/kafka/fetch.sh puts them.
        None => match std::env::var("AUSCULT_TEST_KAFKA_VERSION") {
            Ok(version) if !version.is_empty() => repository().join(format!(".work/kafka/libs-{version}")),
            _ => repository().join(".work/kafka/libs"),
        },
    };
    let has_jars = std::fs::read_dir(&libs).is_ok_and(|entries| {
        entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("kafka_2.13"))
    });
    if !has_jars {
        bail!("Apache Kafka's jars are not in {}: run tests/kafka/fetch.sh (or tests/setup.sh)", libs.display());
    }
    Ok(format!("{}/*", libs.display()))
}
