//! Refuses to write NaN and infinity, which JSON has no word for: serde_json would write `null`, and every reader of
//! the topic would meet a score that is no number.

use serde::{Serialize, Serializer, ser::Error};

/// Holds numbers that may all be asked whether they are finite.
pub(crate) trait Finite {
    /// No number in it is NaN or infinite.
    fn is_finite(&self) -> bool;
}

impl Finite for f64 {
    fn is_finite(&self) -> bool {
        f64::is_finite(*self)
    }
}

impl Finite for Option<f64> {
    fn is_finite(&self) -> bool {
        self.is_none_or(f64::is_finite)
    }
}

impl Finite for Vec<f64> {
    fn is_finite(&self) -> bool {
        self.iter().all(|number| number.is_finite())
    }
}

/// For `#[serde(serialize_with = "crate::finite::only")]`.
pub(crate) fn only<T: Finite + Serialize, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    if value.is_finite() {
        value.serialize(serializer)
    } else {
        Err(S::Error::custom("a number is NaN or infinite, which JSON cannot hold"))
    }
}
