//! A string that is never printed.

use std::fmt;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

const HIDDEN: &str = "***";

/// A password or key. Printing and serialising it give `***`; only [`Secret::reveal`] gives the text.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("format" = "password"))]
pub struct Secret(String);

impl Secret {
    /// Takes a text in.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The secret of a pair of fields `name` and `name_file`: given as it is, or as the file that holds it.
    /// Of a file the line end is dropped, since editors add one.
    ///
    /// # Errors
    /// What is wrong, in words: both are given, or the file cannot be read.
    pub fn resolve(inline: Option<&Self>, file: Option<&Path>) -> Result<Option<Self>, String> {
        match (inline, file) {
            (Some(_), Some(_)) => Err("given twice, as it is and as a file: keep one of the two".to_owned()),
            (Some(secret), None) => Ok(Some(secret.clone())),
            (None, Some(path)) => match std::fs::read_to_string(path) {
                Ok(text) => Ok(Some(Self::new(text.trim_end_matches(['\r', '\n'])))),
                Err(error) => Err(format!("cannot read {}: {error}", path.display())),
            },
            (None, None) => Ok(None),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(HIDDEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::new("tiger");
        let shown = format!("{secret} {secret:?} {}", serde_json::to_string(&secret).unwrap());
        assert_eq!(shown, "*** *** \"***\"");
    }

    #[test]
    fn a_secret_comes_from_a_file_without_its_line_end() {
        let file = std::env::temp_dir().join(format!("auscult-secret-{}", std::process::id()));
        std::fs::write(&file, "tiger\n").unwrap();
        let secret = Secret::resolve(None, Some(&file)).unwrap().unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(secret.reveal(), "tiger");
    }

    #[test]
    fn a_secret_given_twice_is_a_mistake() {
        assert!(Secret::resolve(Some(&Secret::new("a")), Some(Path::new("b"))).is_err());
    }
}
