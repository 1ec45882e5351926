//! What is wrong with a configuration: all of it, each with its path.

use std::fmt;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where, as `section.field`; empty for the whole.
    pub path: String,
    /// What, with the remedy.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.path, self.message) }
    }
}

/// Mistakes as they are found, and the path of the section that is being looked at.
#[derive(Debug, Default)]
pub struct Problems {
    prefix: Vec<String>,
    found: Vec<Problem>,
}

impl Problems {
    /// Records a mistake in a field of the present section.
    pub fn add(&mut self, field: &str, message: impl Into<String>) {
        let mut segments = self.prefix.clone();
        if !field.is_empty() {
            segments.push(field.to_owned());
        }
        self.found.push(Problem { path: segments.join("."), message: message.into() });
    }

    /// Records a mistake unless the condition holds.
    pub fn require(&mut self, holds: bool, field: &str, message: impl Into<String>) {
        if !holds {
            self.add(field, message);
        }
    }

    /// Looks at a section: paths recorded meanwhile begin with its name.
    pub fn section(&mut self, name: &str, section: &impl Validate) {
        self.prefix.push(name.to_owned());
        section.validate(self);
        self.prefix.pop();
    }

    /// What has been found.
    #[must_use]
    pub fn found(&self) -> &[Problem] {
        &self.found
    }

    /// What has been found.
    #[must_use]
    pub fn into_found(self) -> Vec<Problem> {
        self.found
    }
}

/// What a type cannot say of a value: ranges, and fields that must fit each other.
pub trait Validate {
    /// Records every mistake.
    fn validate(&self, problems: &mut Problems);
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read or is not YAML.
    #[error("cannot read the configuration: {0}")]
    Unreadable(String),
    /// It was read, and these are its mistakes.
    #[error("the configuration has {}:{}", count(.0.len()), listed(.0))]
    Invalid(Vec<Problem>),
}

fn count(problems: usize) -> String {
    if problems == 1 { "1 mistake".to_owned() } else { format!("{problems} mistakes") }
}

fn listed(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("\n  {problem}")).collect()
}
